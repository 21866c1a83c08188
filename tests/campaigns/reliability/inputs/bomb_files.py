"""Small files that ask for much: sides, frames, nested and repeated parts, and what unpacks to gigabytes.

Each maker takes a strength 0..7; a larger one asks for more.
"""

import functools
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import nibabel
import numpy as np
from dicom_files import (
    LEGACY_ENHANCED_MR,
    compressed,
    drawn_volume,
    enhanced_mr,
    file_bytes,
    mr_slice,
)
from PIL import Image
from pydicom.dataset import Dataset
from tiff_writer import tiff

__all__ = ["BOMBS", "STRENGTHS"]

STRENGTHS = 8
#: What a file unpacks to, by strength; 512 MiB is the limit of our readers.
_MIB = (64, 256, 500, 520, 1024, 2048, 4096, 8192)
_SIDES = (8193, 10_000, 16_000, 20_000, 30_000, 40_000, 50_000, 65_000)
_ZEROS = bytes(2**20)


def _png_sides(strength: int) -> bytes:
    side = _SIDES[strength]
    return _png(side, side, [(b"IDAT", _zlib(b"", side * (side + 1) // 2**20 + 1))])


def _png_area(strength: int) -> bytes:
    width, height = 8192, 4900 + 400 * strength
    return _png(width, height, [(b"IDAT", _zlib(b"", height * (width + 1) // 2**20 + 1))])


def _png_text(strength: int) -> bytes:
    return _small_png([(b"zTXt", b"Comment\0\0" + _zlib(b"", _MIB[strength]))])


def _png_profile(strength: int) -> bytes:
    return _small_png([(b"iCCP", b"icc\0\0" + _zlib(b"", _MIB[strength]))])


def _png_surplus(strength: int) -> bytes:
    """Pixels of a small image, and gigabytes behind them in the same stream."""
    rows = b"".join(b"\0" + bytes(range(64)) for _ in range(64))
    return _png(64, 64, [(b"IDAT", _zlib(rows, _MIB[strength]))])


def _png_chunks(strength: int) -> bytes:
    return _small_png([(b"tEXt", b"a\0b")] * (20_000 * (strength + 1)))


def _jpeg_sides(strength: int) -> bytes:
    data = bytearray(_jpeg(64))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", _SIDES[strength], _SIDES[strength])
    return bytes(data)


def _jpeg_scans(strength: int) -> bytes:
    """A progressive image whose last scan comes again and again."""
    data = _jpeg(2000, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (200 * (strength + 1)) + data[-2:]


def _bmp_sides(strength: int) -> bytes:
    data = bytearray(_saved("BMP"))
    data[18:26] = struct.pack("<ii", _SIDES[strength], _SIDES[strength])
    return bytes(data)


def _bmp_runs(strength: int) -> bytes:
    """Runs of 255 pixels in two bytes: 8-bit BMP with compression 1."""
    width, height = 8192, 4096 + 512 * strength
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    runs = (b"\xff\x40" * 32 + b"\x20\x80" + b"\0\0") * height + b"\0\1"
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + 40 + 1024
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + info + palette + runs


def _tiff_sides(strength: int) -> bytes:
    side = _SIDES[strength]
    return tiff(np.zeros((64, 64), np.uint8), deflate=True, t256=side, t257=side, t278=side)


def _tiff_packed(strength: int) -> bytes:
    """A deflated strip that holds gigabytes, in an image that is small."""
    strip = _zlib(bytes(range(64)) * 64, _MIB[strength])
    pixels = np.zeros((64, 64), np.uint8)
    start = len(tiff(pixels, deflate=True))
    return tiff(pixels, deflate=True, t273=start, t279=len(strip)) + strip


def _tiff_pages(strength: int) -> bytes:
    return tiff(np.zeros((64, 64), np.uint8), pages=5000 * (strength + 1))


def _dicom_deflated(strength: int) -> bytes:
    whole = file_bytes(compressed(_classic(), "deflated"))
    end = 128 + 4 + 12 + struct.unpack_from("<I", whole, 128 + 4 + 8)[0]  # group length of 0002
    dataset = zlib.decompress(whole[end:], -zlib.MAX_WBITS)
    return whole[:end] + _deflated(dataset, _MIB[strength])


def _dicom_sides(strength: int) -> bytes:
    return file_bytes(_classic(Rows=_SIDES[strength], Columns=_SIDES[strength]))


def _dicom_frames(strength: int) -> bytes:
    return file_bytes(_classic(NumberOfFrames=4 ** (8 + strength) // 2 - 1))


def _dicom_stream(syntax: str, marker: bytes, at: int, form: str) -> Callable[[int], bytes]:
    """Return a maker of files whose compressed stream states larger sides than the header."""

    def make(strength: int) -> bytes:
        data = bytearray(file_bytes(compressed(_classic(), syntax)))
        start = data.rindex(marker)
        struct.pack_into(form, data, start + at, _SIDES[strength], _SIDES[strength])
        return bytes(data)

    return make


def _dicom_allowed(syntax: str, marker: bytes, at: int, form: str) -> Callable[[int], bytes]:
    """Return a maker of files whose header and stream agree on sides that are allowed, and hold next to nothing."""

    def make(strength: int) -> bytes:
        side = 2000 + 600 * strength
        dataset = compressed(_classic(), syntax)
        dataset.Rows = dataset.Columns = side
        data = bytearray(file_bytes(dataset))
        start = data.rindex(marker)
        struct.pack_into(form, data, start + at, side, side)
        return bytes(data)

    return make


def _dicom_nested(strength: int) -> bytes:
    opened = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return _with_elements(opened * (100 * 3**strength))


def _dicom_elements(strength: int) -> bytes:
    return _with_elements(b"\x08\0\x05\0CS\0\0" * (250_000 * (strength + 1)))


def _dicom_items(strength: int) -> bytes:
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * (200_000 * (strength + 1))
    return _with_elements(b"\x08\0\x40\x11SQ\0\0" + struct.pack("<I", len(items)) + items)


def _dicom_groups(strength: int) -> bytes:
    """Frames whose groups are far more than the pixels."""
    count = 500 * (strength + 1)
    return file_bytes(enhanced_mr(np.zeros((count, 16, 16), np.uint16)))


def _dicom_converted(strength: int) -> bytes:
    """Frames that are described each in its own words."""
    count = 500 * (strength + 1)
    dataset = enhanced_mr(np.zeros((count, 16, 16), np.uint16), sop_class=LEGACY_ENHANCED_MR)
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        words = Dataset()
        words.SeriesDescription, words.ProtocolName = f"t1 {number}", f"head {number}"
        frame.UnassignedPerFrameConvertedAttributesSequence = [words]
    return file_bytes(dataset)


def _zip_member(strength: int) -> bytes:
    return _zip([(_deflated(_head(), _MIB[strength]), _MIB[strength] * 2**20 + len(_head()))])


def _zip_index(strength: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(10_000 * (strength + 1)):
            archive.writestr(f"{number}", b"")
    return file.getvalue()


def _nifti_packed(strength: int) -> bytes:
    """A whole volume, and zeros behind it."""
    return _gzip(_nifti(), _MIB[strength])


def _nifti_sides(strength: int) -> bytes:
    data = bytearray(_nifti())
    side = (4096, 4097, 8000, 16_000, 20_000, 24_000, 28_000, 32_767)[strength]
    data[42:48] = struct.pack("<HHH", side, side, side)
    return bytes(data)


def _nifti_volume(strength: int) -> bytes:
    """Sides that are allowed, of zeros that pack well."""
    data = bytearray(_nifti())
    side = int((_MIB[strength] * 2**20 / 2) ** (1 / 3))
    data[42:48] = struct.pack("<HHH", side, side, side)
    return _gzip(bytes(data), _MIB[strength])


def _nifti_members(strength: int) -> bytes:
    """Very many gzip members, all but the first empty."""
    return gzip.compress(_nifti(), mtime=0) + gzip.compress(b"", mtime=0) * (
        20_000 * (strength + 1)
    )


def _nifti_extensions(strength: int) -> bytes:
    data = _nifti()
    count = 20_000 * (strength + 1)
    start = bytearray(data[:348] + b"\1\0\0\0")
    start[108:112] = struct.pack("<f", 352 + 16 * count)
    return bytes(start) + struct.pack("<ii8s", 16, 6, b"x") * count + data[352:]


#: Maker by kind; the first word says which reader a file is for. Those that take longest come last, since CI takes the
#: first.
BOMBS: dict[str, Callable[[int], bytes]] = {
    "image png sides": _png_sides,
    "image png area": _png_area,
    "image png text": _png_text,
    "image png profile": _png_profile,
    "image png surplus": _png_surplus,
    "image jpeg sides": _jpeg_sides,
    "image bmp sides": _bmp_sides,
    "nifti packed": _nifti_packed,
    "image bmp runs": _bmp_runs,
    "image tiff sides": _tiff_sides,
    "dicom sides": _dicom_sides,
    "dicom frames": _dicom_frames,
    "dicom jpeg-2000": _dicom_stream("jpeg-2000", b"\xff\x4f\xff\x51", 8, ">II"),
    "dicom jpeg-ls": _dicom_stream("jpeg-ls", b"\xff\xf7", 5, ">HH"),
    "dicom jpeg-lossless": _dicom_stream("jpeg-lossless", b"\xff\xc3", 5, ">HH"),
    "dicom jpeg-2000 allowed": _dicom_allowed("jpeg-2000", b"\xff\x4f\xff\x51", 8, ">II"),
    "dicom jpeg-ls allowed": _dicom_allowed("jpeg-ls", b"\xff\xf7", 5, ">HH"),
    "dicom jpeg-lossless allowed": _dicom_allowed("jpeg-lossless", b"\xff\xc3", 5, ">HH"),
    "dicom nested": _dicom_nested,
    "dicom items": _dicom_items,
    "zip member": _zip_member,
    "nifti sides": _nifti_sides,
    "image jpeg scans": _jpeg_scans,
    "image png chunks": _png_chunks,
    "image tiff packed": _tiff_packed,
    "image tiff pages": _tiff_pages,
    "dicom deflated": _dicom_deflated,
    "dicom elements": _dicom_elements,
    "dicom groups": _dicom_groups,
    "dicom converted": _dicom_converted,
    "zip index": _zip_index,
    "nifti volume": _nifti_volume,
    "nifti members": _nifti_members,
    "nifti extensions": _nifti_extensions,
}


@functools.cache
def _million() -> bytes:
    """Return 1 MiB of zeros as blocks of a deflate stream that can be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(_ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)


def _deflated(start: bytes, mib: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + _million() * mib + b"\x03\0"  # an empty last block


def _zlib(start: bytes, mib: int) -> bytes:
    checked = zlib.adler32(start)
    low, high = checked & 0xFFFF, checked >> 16
    high = (high + low * mib * 2**20) % 65521
    return b"\x78\xda" + _deflated(start, mib) + struct.pack(">I", high << 16 | low)


def _gzip(start: bytes, mib: int) -> bytes:
    checked = zlib.crc32(start)
    for _ in range(mib):
        checked = zlib.crc32(_ZEROS, checked)
    size = (len(start) + mib * 2**20) % 2**32
    head = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    return head + _deflated(start, mib) + struct.pack("<II", checked, size)


def _png(width: int, height: int, chunks: list[tuple[bytes, bytes]]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in [(b"IHDR", header), *chunks, (b"IEND", b"")]:
        parts.append(struct.pack(">I", len(body)) + kind + body)
        parts.append(struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))))
    return b"".join(parts)


def _small_png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    rows = b"".join(b"\0" + bytes(range(64)) for _ in range(64))
    return _png(64, 64, [*chunks, (b"IDAT", zlib.compress(rows))])


def _saved(form: str) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).save(file, form)
    return file.getvalue()


@functools.cache
def _jpeg(side: int, *, progressive: bool = False) -> bytes:
    file = io.BytesIO()
    image = Image.linear_gradient("L").resize((side, side))
    image.save(file, "JPEG", progressive=progressive)
    return file.getvalue()


def _classic(**attributes: object):  # type: ignore[no-untyped-def]  # pydicom has no types
    return mr_slice(drawn_volume(slices=3, rows=64, columns=64)[1], **attributes)


def _head() -> bytes:
    return file_bytes(_classic())


def _with_elements(elements: bytes) -> bytes:
    """Put elements in front of those of a file."""
    data = _head()
    end = 128 + 4 + 12 + struct.unpack_from("<I", data, 128 + 4 + 8)[0]
    return data[:end] + elements + data[end:]


def _nifti() -> bytes:
    values = drawn_volume(slices=4, rows=24, columns=20).transpose(2, 1, 0).astype(np.int16)
    data: bytes = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 4.0, 1.0])).to_bytes()
    return data


def _zip(members: list[tuple[bytes, int]]) -> bytes:
    """Return an archive of deflated members, as (stream, size), whose sums are not right."""
    parts, index = [], []
    at = 0
    for number, (stream, size) in enumerate(members):
        name = f"{number}.dcm".encode()
        facts = struct.pack(
            "<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(stream), size % 2**32, len(name), 0
        )
        parts.append(b"PK\x03\x04" + facts + name + stream)
        index.append(
            b"PK\x01\x02"
            + struct.pack("<H", 20)
            + facts
            + struct.pack("<HHHII", 0, 0, 0, 0, at)
            + name
        )
        at += len(parts[-1])
    listed = b"".join(index)
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(listed), at, 0)
    return b"".join(parts) + listed + b"PK\x05\x06" + end
