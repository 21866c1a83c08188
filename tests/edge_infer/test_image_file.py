import io
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile
from tiny_bundle import noise, scan

from edge_infer.errors import CorruptImage, InputOverLimit, UnreadableInput, UnsupportedImage
from edge_infer.image_file import open_source, read_image

GREY = np.asarray(scan())  # (48, 64), holds 0 and 255


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def raw_png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        crc = zlib.crc32(kind + body)
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc))
    return b"".join(parts)


TWINS = {
    "png": encoded(scan()),
    "bmp": encoded(scan(), "BMP"),
    "tiff": encoded(scan(), "TIFF"),
    "tiff lzw": encoded(scan(), "TIFF", compression="tiff_lzw"),
    "rgb": encoded(scan().convert("RGB")),
    "palette": encoded(Image.fromarray(GREY).convert("P")),
    "grey and alpha": encoded(scan().convert("LA")),
    "rgba": encoded(scan().convert("RGBA")),
    "16-bit png": encoded(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "12 bits in 16": encoded(Image.fromarray(GREY.astype(np.uint16) * 16)),
    "16-bit tiff": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    "32-bit tiff": encoded(Image.fromarray(GREY.astype(np.int32) * 1000), "TIFF"),
    "float tiff": encoded(Image.fromarray(GREY.astype(np.float32) / 255), "TIFF"),
}


@pytest.mark.parametrize("data", TWINS.values(), ids=TWINS.keys())
def test_every_lossless_twin_gives_the_same_pixels(data: bytes) -> None:
    assert np.array_equal(np.asarray(read_image(data)), GREY)


def test_a_jpeg_is_read_as_pillow_decodes_it() -> None:
    data = encoded(scan(), "JPEG")
    assert np.array_equal(np.asarray(read_image(data)), np.asarray(Image.open(io.BytesIO(data))))


def test_no_text_of_the_file_goes_along_with_the_pixels() -> None:
    exif = Image.Exif()
    exif[0x010E] = "CANARY^NAME"
    data = encoded(scan(), "JPEG", comment="CANARY", exif=exif)
    for source in (data, Image.open(io.BytesIO(data))):
        image = read_image(source)
        assert image.info == {}
        assert b"CANARY" not in encoded(image, "JPEG")


def test_a_cmyk_jpeg_and_tiff_give_nearly_the_grey_image() -> None:
    smooth = Image.linear_gradient("L").resize((64, 64))
    for form, options in (("TIFF", {}), ("JPEG", {"quality": 100, "subsampling": 0})):
        data = encoded(smooth.convert("CMYK"), form, **options)
        difference = np.asarray(read_image(data), int) - np.asarray(smooth, int)
        assert np.abs(difference).max() <= 3  # JPEG rounds each of four channels


def test_one_bit_images_become_black_and_white() -> None:
    image = scan().convert("1")
    assert np.array_equal(np.asarray(read_image(encoded(image))), np.asarray(image) * np.uint8(255))


def test_transparency_lies_on_black() -> None:
    image = scan().convert("LA")
    image.putalpha(Image.new("L", image.size, 0).point(lambda _: 128))
    expected = np.rint(GREY * (128 / 255))
    difference = np.asarray(read_image(encoded(image)), float) - expected
    assert np.abs(difference).max() <= 1  # Pillow's integer blending


def test_a_transparent_palette_entry_is_black() -> None:
    image = Image.fromarray(GREY).convert("P")
    read = np.asarray(read_image(encoded(image, transparency=255)))
    assert read[GREY == 255].max() == 0
    assert np.array_equal(read[GREY < 255], GREY[GREY < 255])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    # What a viewer shows: EXIF 2.32, tag 0x0112; made upright by the inverse of these.
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }[orientation](np.asarray(Image.linear_gradient("L").resize((64, 48)).rotate(20)))
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.asarray(Image.linear_gradient("L").resize((64, 48)).rotate(20), int)
    read = np.asarray(read_image(encoded(image, form, exif=exif)), int)
    assert read.shape == upright.shape
    assert np.abs(read - upright).mean() < (4 if form == "JPEG" else 1e-9)


def test_paths_bytes_arrays_and_pillow_images_agree(scan_path: Path) -> None:
    sources = [
        scan_path,
        str(scan_path),
        scan_path.read_bytes(),
        GREY,
        np.asfortranarray(GREY),
        GREY.astype(np.uint16) * 257,
        np.stack([GREY] * 3, axis=2),
        scan(),
        Image.open(scan_path),
    ]
    for source in sources:
        assert np.array_equal(np.asarray(read_image(source)), GREY)


def test_the_callers_objects_are_left_as_they_were() -> None:
    image = scan().convert("RGBA")
    before = image.tobytes()
    read = read_image(image)
    read.paste(0, (0, 0, 10, 10))
    assert image.mode == "RGBA"
    assert image.tobytes() == before
    grey = scan()
    read_image(grey).paste(0, (0, 0, 64, 48))
    assert grey.tobytes() == scan().tobytes()


def test_the_digest_is_that_of_the_file(scan_path: Path) -> None:
    import hashlib

    source = open_source(scan_path)
    assert source.sha256 == hashlib.sha256(scan_path.read_bytes()).hexdigest()
    assert source.name == str(scan_path)


def test_other_types_are_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError, match="expected a path"):
        read_image(3)  # type: ignore[arg-type]


LADDERS = {
    "jpeg": encoded(noise(size=(40, 40)), "JPEG"),
    "progressive jpeg": encoded(noise(size=(40, 40)), "JPEG", progressive=True),
    "png": encoded(scan(size=(24, 24))),
    "bmp": encoded(scan(size=(24, 24)), "BMP"),
    "tiff": encoded(scan(size=(24, 24)), "TIFF"),
    "tiff deflate": encoded(scan(size=(24, 24)), "TIFF", compression="tiff_adobe_deflate"),
}


@pytest.mark.parametrize("data", LADDERS.values(), ids=LADDERS.keys())
def test_a_truncated_file_never_gives_an_image(data: bytes) -> None:
    whole = np.asarray(read_image(data))
    given = 0
    for length in {*range(0, len(data), 7), *range(len(data) - 30, len(data))}:
        try:
            read = np.asarray(read_image(data[:length]))
        except CorruptImage:
            continue
        # Cut off behind the last pixel (padding, closing tags): all pixels must be there.
        assert np.array_equal(read, whole), f"a partial image from {length} bytes"
        given += 1
    assert given <= 4  # the checksum of PNG's closing chunk, behind all pixels


def test_truncation_is_refused_when_pillow_was_told_to_accept_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnsupportedImage, match="truncated"):
        read_image(TWINS["png"])


def test_a_flipped_byte_in_png_pixels_is_found_by_its_checksum() -> None:
    data = bytearray(TWINS["png"])
    data[len(data) // 2] ^= 1
    with pytest.raises(CorruptImage):
        read_image(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image at all",
        b"\0" * 5000,
        os.urandom(4096),
        b"\xff\xd8\xff",
        b"BM",
        b"II*\0",
    ],
    ids=["0 bytes", "text", "zeros", "random", "jpeg head", "bmp head", "tiff head"],
)
def test_what_is_not_an_image_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImage) as caught:
        read_image(data)
    assert caught.value.exit_code == 22


def test_nan_in_a_float_image_is_corrupt() -> None:
    pixels = GREY.astype(np.float32)
    pixels[3, 3] = np.nan
    with pytest.raises(CorruptImage, match="NaN"):
        read_image(encoded(Image.fromarray(pixels), "TIFF"))


FRAMES = [scan(1), scan(2)]
UNSUPPORTED = {
    "gif": encoded(scan(), "GIF"),
    "webp": encoded(scan(), "WEBP"),
    "pdf": encoded(scan(), "PDF"),
    "dicom": b"\0" * 128 + b"DICM" + b"\0" * 100,
    "gzip": b"\x1f\x8b" + b"\0" * 100,
    "animated png": encoded(FRAMES[0], save_all=True, append_images=FRAMES[1:]),
    "two-page tiff": encoded(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]),
    "two-frame jpeg": encoded(FRAMES[0], "MPO", save_all=True, append_images=FRAMES[1:]),
    "15 pixels": encoded(scan(size=(15, 40))),
    "black": encoded(Image.new("L", (64, 64), 0)),
    "white": encoded(Image.new("RGB", (64, 64), "white")),
    "black 16-bit": encoded(Image.new("I;16", (64, 64), 0)),
    "negative": encoded(Image.fromarray(GREY.astype(np.int32) - 9), "TIFF"),
    "lab": encoded(
        ImageCms.applyTransform(
            scan().convert("RGB"),
            ImageCms.buildTransform(
                ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
            ),
        ),
        "TIFF",
    ),
    # tag 262 (PhotometricInterpretation), SHORT, one value: 1 becomes 0, WhiteIsZero
    "inverted 16-bit tiff": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF").replace(
        b"\x06\x01\x03\0\x01\0\0\0\x01\0", b"\x06\x01\x03\0\x01\0\0\0\0\0"
    ),
}


@pytest.mark.parametrize("data", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_is_not_accepted_says_so(data: bytes) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        read_image(data)
    assert caught.value.exit_code == 23


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return raw_png([(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")])


@pytest.mark.parametrize("size", [(8193, 16), (7000, 7000), (10_000, 9_000), (60_000, 60_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused_from_their_header(size: tuple[int, int]) -> None:
    data = bomb(*size)
    started = time.perf_counter()
    with pytest.raises(InputOverLimit) as caught:
        read_image(data)
    assert caught.value.exit_code == 24
    assert time.perf_counter() - started < 0.5  # seconds; decoding the largest would take many


def test_a_bomb_is_refused_when_warnings_are_errors() -> None:
    with pytest.raises(InputOverLimit):
        read_image(bomb(10_000, 9_000))


def test_a_file_over_64_mib_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)  # sparse
    with pytest.raises(InputOverLimit, match="64 MiB"):
        read_image(path)


def test_only_regular_files_are_read_and_a_pipe_does_not_block(tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe.png", tmp_path / "loop.png"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path in (pipe, loop, tmp_path, tmp_path / "none.png", Path("/dev/zero"), "a\0b"):
        started = time.perf_counter()
        with pytest.raises(UnreadableInput) as caught:
            read_image(path)
        assert caught.value.exit_code == 20
        assert time.perf_counter() - started < 2


def test_messages_escape_names_that_would_steer_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput) as caught:
        read_image(tmp_path / "a\x1b[31m\nb.png")
    assert r"a\x1b[31m\nb.png" in caught.value.message
    with pytest.raises(UnreadableInput) as caught:
        read_image(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    caught.value.message.encode()


def test_truncation_is_refused_of_pillow_images_too(monkeypatch: pytest.MonkeyPatch) -> None:
    third = LADDERS["jpeg"][: len(LADDERS["jpeg"]) // 3]
    lazy = Image.open(io.BytesIO(third))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnsupportedImage, match="truncated"):
        read_image(lazy)
    with pytest.raises(UnsupportedImage, match="truncated"):
        read_image(scan())


@pytest.mark.parametrize("step", ["load", "getexif", "tell", "seek", "crop"])
@pytest.mark.parametrize("raised", [TypeError, ValueError, SyntaxError, EOFError, RecursionError])
def test_whatever_pillow_raises_late_is_damage(
    step: str, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised("Missing dimensions")

    image = Image.open(io.BytesIO(TWINS["tiff"]))
    image.is_animated = step in ("tell", "seek")
    monkeypatch.setattr(image, step, fail)
    with pytest.raises(CorruptImage, match="damaged or cut short") as caught:
        read_image(image)
    assert caught.value.hint


@pytest.mark.parametrize("form", ["png", "bmp", "tiff"])
def test_a_closed_pillow_image_is_named_as_such(form: str, tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(TWINS[form])
    with Image.open(tmp_path / "scan") as left:
        pass
    closed = Image.open(tmp_path / "scan")
    closed.close()
    for image in (left, closed):
        with pytest.raises(CorruptImage, match="it or its file is closed") as caught:
            read_image(image)
        assert "load()" in caught.value.hint


@pytest.mark.parametrize("source", [TWINS["png"], GREY, scan()], ids=["bytes", "array", "image"])
def test_no_memory_is_an_outcome_of_one_image(
    source: bytes | np.ndarray | Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("edge_infer.grey.strips", fail)
    monkeypatch.setattr("edge_infer.image_file.strips", fail)
    monkeypatch.setattr("edge_infer.grey._shallow_to_grey", fail)
    with pytest.raises(InputOverLimit, match="memory"):
        read_image(source)


def test_large_images_are_converted_in_strips_to_the_same_pixels() -> None:
    two_strips = (1500, 1400)
    noise = np.random.default_rng(18).integers(0, 65536, two_strips, dtype=np.uint16)
    expected = np.rint(noise.astype(float) * (255 / noise.max())).astype(np.uint8)
    assert np.array_equal(np.asarray(read_image(noise)), expected)
    assert np.array_equal(np.asarray(read_image(encoded(Image.fromarray(noise)))), expected)
    colour = Image.fromarray(noise.view(np.uint8).reshape(1500, 700, 4))
    colour = Image.merge("RGBA", [band.resize((1400, 1500)) for band in colour.split()])
    black = Image.new("RGBA", colour.size, (0, 0, 0, 255))
    whole = Image.alpha_composite(black, colour).convert("RGB").convert("L")
    assert np.array_equal(np.asarray(read_image(colour)), np.asarray(whole))


def test_bmps_that_pillow_cannot_read_are_named() -> None:
    bmp = bytearray(TWINS["bmp"])
    bmp[30] = 4  # biCompression: JPEG
    with pytest.raises(UnsupportedImage, match="JPEG"):
        read_image(bytes(bmp))
    bmp[30] = 1
    with pytest.raises(InputOverLimit, match="run lengths"):
        read_image(bytes(bmp) + b"\1\0" * 2**22)


def test_an_image_opened_with_pillow_is_checked_like_a_file() -> None:
    damaged = bytearray(TWINS["png"])
    damaged[-20] ^= 1  # within the checksums, after the last pixel that Pillow reads
    with pytest.raises(CorruptImage):
        read_image(Image.open(io.BytesIO(damaged)))
    zeroed = bytearray(encoded(scan(size=(256, 256)), "JPEG"))
    zeroed[len(zeroed) // 2 :] = bytes(len(zeroed) - len(zeroed) // 2)
    with pytest.raises(CorruptImage):
        read_image(Image.open(io.BytesIO(zeroed)))
