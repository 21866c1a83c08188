"""Formats of scanners and of brain research, recognised by content: DICOM, NIfTI, Analyze, NRRD, MGH and others.

DICOM also occurs without its preamble of 132 bytes, as it is sent over the network and as old software stores it:
then the file starts with an element of group 0002 or 0008 (PS3.10 section 7.1, PS3.5 section 7.1).
"""

import struct
import zlib

from edge_infer.formats.magic import Magic, name_by_magic

__all__ = ["name_of_medical_format"]

_MAGIC: tuple[Magic, ...] = (
    (128, b"DICM", "DICOM"),
    (0, b"DICM", "DICOM"),
    (344, b"n+1\0", "NIfTI"),
    (344, b"ni1\0", "NIfTI, a pair of .hdr and .img"),
    (4, b"n+2\0\r\n\x1a\n", "NIfTI-2"),
    (4, b"ni2\0\r\n\x1a\n", "NIfTI-2, a pair of .hdr and .img"),
    (0, b"NRRD0", "NRRD"),
    (0, b"ObjectType ", "MetaImage"),
    (0, b"ObjectType=", "MetaImage"),
    (0, b"NDims ", "MetaImage"),
    (0, b"!INTERFILE", "Interfile"),
    (0, b"# vtk DataFile", "VTK"),
    (0, b"# === DATA DESCRIPTION FILE", "Philips PAR/REC"),
    (0, b"IMGF", "GE Signa"),
)
_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_FIRST_GROUPS = frozenset({0x0002, 0x0004, 0x0008})
_GZIP = b"\x1f\x8b"
_ANALYZE_SIZES = (b"\x5c\x01\0\0", b"\0\0\x01\x5c")  # sizeof_hdr: 348, in either byte order
_MGH_TYPES = frozenset({0, 1, 3, 4, 10})


def name_of_medical_format(data: bytes) -> str | None:
    """Name a format of medical imaging, or None if the bytes are not of one.

    Args:
        data: Of a whole file.
    """
    name = name_by_magic(data, _MAGIC)
    if name:
        return name
    if data.startswith(_GZIP):
        return _inside_gzip(data)
    if _is_bare_dicom(data, "<") or _is_bare_dicom(data, ">"):
        return "DICOM (without its preamble)"
    if data.startswith(_ANALYZE_SIZES) and len(data) >= 348:
        return "Analyze 7.5 (.hdr)"
    return "FreeSurfer MGH" if _is_mgh(data) else None


def _inside_gzip(data: bytes) -> str:
    try:
        start = zlib.decompressobj(wbits=31).decompress(data[:4096], 1024)
    except zlib.error:
        start = b""
    inner = None if start.startswith(_GZIP) else name_of_medical_format(start)
    return f"{inner}, compressed with gzip" if inner else "gzip (perhaps .nii.gz)"


def _is_bare_dicom(data: bytes, order: str) -> bool:
    if len(data) < 8:
        return False
    group, element = struct.unpack_from(f"{order}HH", data)
    if group not in _FIRST_GROUPS or element > 0x2000:
        return False
    if data[4:6] in _VALUE_REPRESENTATIONS:
        return True
    (length,) = struct.unpack_from(f"{order}I", data, 4)
    if not (0 < length <= 1024 and length % 2 == 0 and 12 + length <= len(data)):
        return False
    # Without a value representation: the next element must follow in order.
    next_group, next_element = struct.unpack_from(f"{order}HH", data, 8 + length)
    return bool((group, element) < (next_group, next_element) and next_group <= 0x0010)


def _is_mgh(data: bytes) -> bool:
    if len(data) < 284:
        return False
    version, *size, frames, kind = struct.unpack_from(">7i", data)[:6]
    return (
        version == 1
        and kind in _MGH_TYPES
        and all(0 < side <= 65_536 for side in size)
        and frames > 0
    )
