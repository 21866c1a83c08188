"""The walks through JPEG's coded data, each on a few bits written by hand, and each way in which those can be wrong."""

from array import array
from collections.abc import Callable

import pytest

from edge_infer.formats.jpeg.bits import JpegBits
from edge_infer.formats.jpeg.huffman import BrokenJpegError, HuffmanCode, HuffmanTable
from edge_infer.formats.jpeg.progressive import Band, walk_ac, walk_dc, walk_dc_bits
from edge_infer.formats.jpeg.segments import read_segments
from edge_infer.formats.jpeg.sequential import walk_blocks

END_OF_BLOCK = 0x00


def code(*symbols: int) -> HuffmanCode:
    """Up to three symbols, whose codes are 00, 01 and 10."""
    return HuffmanCode(HuffmanTable(bytes([0, len(symbols), *[0] * 14]), bytes(symbols)))


def bits(text: str) -> JpegBits:
    """Bits as digits; the last byte is filled up with ones, as encoders do."""
    digits = text.replace(" ", "")
    digits += "1" * (-len(digits) % 8)
    return JpegBits(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8)))


def sequential(text: str, dc: HuffmanCode, ac: HuffmanCode) -> None:
    walk_blocks(bits(text), [1], [(dc, ac)])


def first_ac(text: str, *symbols: int, blocks: int = 1, band: tuple[int, int] = (1, 2)) -> None:
    chosen = Band(first=band[0], last=band[1], refines=False)
    walk_ac(bits(text), [blocks], code(*symbols), chosen, array("Q", [0] * blocks))


def refined_ac(text: str, *symbols: int, known: int = 0) -> None:
    walk_ac(
        bits(text), [1], code(*symbols), Band(first=1, last=2, refines=True), array("Q", [known])
    )


def header(*sampling: int) -> bytes:
    """A stream of a frame of these components, 8 by 8 pixels, and one scan of all of them."""
    parts = b"".join(bytes([number, size, 0]) for number, size in enumerate(sampling))
    frame = bytes([8, 0, 8, 0, 8, len(sampling)]) + parts
    scan = bytes([len(sampling)]) + b"".join(bytes([n, 0]) for n in range(len(sampling)))
    scan += bytes([0, 63, 0])
    segments = ((0xC0, frame), (0xDA, scan))
    stream = b"".join(
        bytes([0xFF, marker]) + (2 + len(body)).to_bytes(2, "big") + body
        for marker, body in segments
    )
    return b"\xff\xd8" + stream + b"\x12\x34\xff\xd9"


WHOLE: dict[str, Callable[[], object]] = {
    "a block of two symbols": lambda: sequential("00 1 00", code(1), code(END_OF_BLOCK)),
    "a run up to the last coefficient": lambda: sequential(
        "00 1" + "00" * 3 + "01 1", code(1), code(0xF0, 0xE1)
    ),
    "a DC coefficient": lambda: walk_dc(bits("00 1"), [1], [code(1)]),
    "bits of DC coefficients": lambda: walk_dc_bits(bits("101"), [3], 1),
    "an AC coefficient at the end of its band": lambda: first_ac("00 1", 0x11),
    "two blocks ended at once": lambda: first_ac("00 0", 0x10, blocks=2),
    "a refined coefficient": lambda: refined_ac("00 1 1", 0x00, known=0b010),
    "blocks of ten in an MCU": lambda: read_segments(header(0x42, 0x11, 0x11), "x"),
}

BROKEN: dict[str, tuple[Callable[[], object], str]] = {
    "a DC coefficient too large": (
        lambda: sequential("00" + "1" * 12 + "00", code(12), code(END_OF_BLOCK)),
        "too large",
    ),
    "a run beyond the last coefficient": (
        lambda: sequential("00 1" + "00" * 3 + "01 1", code(1), code(0xF0, 0xF1)),
        "too many coefficients",
    ),
    "a symbol of progressive mode": (
        lambda: sequential("00 1 00", code(1), code(0x10)),
        "another mode",
    ),
    "a missing bit": (lambda: sequential("00 11", code(6), code(END_OF_BLOCK)), "missing"),
    "a byte too many": (
        lambda: sequential("00 1 00 00000000", code(1), code(END_OF_BLOCK)),
        "more data",
    ),
    "a progressive DC coefficient too large": (
        lambda: walk_dc(bits("00" + "1" * 12), [1], [code(12)]),
        "too large",
    ),
    "bits of DC coefficients that are missing": (
        lambda: walk_dc_bits(bits("10101010"), [9], 1),
        "missing",
    ),
    "an AC coefficient beyond its band": (lambda: first_ac("00 1", 0x51), "too many"),
    "more blocks ended than there are": (lambda: first_ac("00 1", 0x10, blocks=2), "beyond"),
    "a refinement of two bits": (lambda: refined_ac("00 11", 0x02), "more than one bit"),
    "a refined run beyond its band": (lambda: refined_ac("00 1", 0x51), "too many"),
    "more refined blocks ended than there are": (lambda: refined_ac("00 0", 0x10), "beyond"),
    "blocks of eleven in an MCU": (
        lambda: read_segments(header(0x42, 0x21, 0x11), "x"),
        "more blocks in an MCU",
    ),
    "no start marker": (lambda: read_segments(b"\xff\xd9", "x"), "no start marker"),
    "no end marker": (lambda: read_segments(b"\xff\xd8\xff\xff", "x"), "no end marker"),
}


@pytest.mark.parametrize("walk", WHOLE.values(), ids=WHOLE.keys())
def test_what_is_whole_is_walked_to_its_end(walk: Callable[[], object]) -> None:
    walk()


@pytest.mark.parametrize(("walk", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_named(walk: Callable[[], object], words: str) -> None:
    with pytest.raises(BrokenJpegError, match=words):
        walk()
