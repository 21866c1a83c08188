import io
import struct

import numpy as np
import pytest
from PIL import Image

from edge_infer.errors import CorruptImage, UnsupportedImage
from edge_infer.image_file import read_image

NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (96, 128)).astype(np.uint8))
COLOUR = Image.merge("RGB", [NOISE, NOISE.rotate(180), NOISE])


def tiff(image: Image.Image, compression: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "TIFF", compression=compression, **options)
    return file.getvalue()


WHOLE = {
    "JPEG": tiff(NOISE, "jpeg"),
    "JPEG strips": tiff(NOISE, "jpeg", strip_size=128 * 16),
    "JPEG strips of fewer rows than an image must have": tiff(NOISE, "jpeg", strip_size=128 * 8),
    "JPEG colour": tiff(COLOUR, "jpeg"),
    "JPEG YCbCr": tiff(COLOUR.convert("YCbCr"), "jpeg"),
    "Deflate": tiff(NOISE, "tiff_adobe_deflate"),
    "Deflate strips": tiff(NOISE, "tiff_deflate", strip_size=128 * 16),
}


def pixels_of(data: bytes) -> tuple[int, int]:
    """Begin and end of the last strip."""
    tags = Image.open(io.BytesIO(data)).tag_v2
    return tags[273][-1], tags[273][-1] + tags[279][-1]


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_tiff_is_read(data: bytes) -> None:
    read_image(data)


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
@pytest.mark.parametrize("value", [b"\0", b"\xff", b"\x55"])
def test_lost_data_in_a_compressed_tiff_are_damage_and_nothing_is_printed(
    data: bytes, value: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    start, end = pixels_of(data)
    first, last = start + (end - start) // 2, start + (end - start) * 7 // 8
    with pytest.raises(CorruptImage):
        read_image(data[:first] + value * (last - first) + data[last:])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["Deflate", "Deflate strips"])
def test_a_wrong_checksum_of_deflate_is_damage(kind: str) -> None:
    data = bytearray(WHOLE[kind])
    data[pixels_of(WHOLE[kind])[1] - 1] ^= 1
    with pytest.raises(CorruptImage, match="Deflate"):
        read_image(bytes(data))


def test_a_jpeg_strip_of_another_size_is_damage() -> None:
    data = WHOLE["JPEG"]
    at = data.rindex(b"\xff\xc0")
    assert data[at + 5 : at + 7] == (96).to_bytes(2, "big")
    small = tiff(NOISE.crop((0, 0, 128, 48)), "jpeg")
    start, end = pixels_of(small)
    strip = small[start:end].ljust(len(data[slice(*pixels_of(data))]), b"\0")
    with pytest.raises(CorruptImage, match="another size"):
        read_image(data.replace(data[slice(*pixels_of(data))], strip))


def test_deflate_that_ends_before_its_checksum_is_cut_short() -> None:
    data = WHOLE["Deflate"]
    start, end = pixels_of(data)
    entry = struct.pack("<HHII", 279, 4, 1, end - start)
    assert data.count(entry) == 1
    with pytest.raises(CorruptImage, match=r"cut short \(Deflate"):
        read_image(data.replace(entry, struct.pack("<HHII", 279, 4, 1, end - start - 2)))


def test_the_old_jpeg_of_tiff_is_named() -> None:
    data = WHOLE["JPEG"]
    entry = b"\x03\x01\x03\x00\x01\x00\x00\x00"  # compression, a short
    assert data.count(entry + b"\x07") == 1
    with pytest.raises(UnsupportedImage, match="old"):
        read_image(data.replace(entry + b"\x07", entry + b"\x06"))
