"""Formats that are recognised by content but not read, so that the error can name them.

A refusal that calls an intact DICOM file "damaged" sends its owner looking for a better copy. So a file is named if its
first bytes, or bytes at a fixed place, say what it is. Magic numbers are from each format's own standard; TGA has none
and is recognised by a header whose sizes fit the file.
"""

import struct
from importlib.util import find_spec

from edge_infer.formats.jpeg.kinds import name_of_unread_jpeg
from edge_infer.formats.magic import Magic, name_by_magic
from edge_infer.formats.medical import name_of_medical_format
from edge_infer.formats.text import name_of_text

__all__ = ["hint_for", "name_of_foreign_format"]

_READ = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_MAGIC: tuple[Magic, ...] = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%!PS", "PostScript"),
    (0, b"%PDF", "PDF"),
    (0, b"Pf\n", "PFM"),
    (0, b"PF\n", "PFM"),
    (0, b"icns", "Apple icon"),
    (0, b"\x8aMNG", "MNG"),
    (0, b"\x8bJNG", "JNG"),
    (0, b"qoif", "QOI"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"FLIF", "FLIF"),
    (0, b"DDS ", "DDS"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile"),
    (40, b" EMF", "Windows metafile"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"\x93NUMPY", "NumPy array (.npy)"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 (perhaps MINC or MATLAB 7.3)"),
    (0, b"CDF\x01", "NetCDF (perhaps MINC)"),
    (0, b"CDF\x02", "NetCDF (perhaps MINC)"),
    (0, b"MATLAB 5.0 MAT-file", "MATLAB"),
    (0, b"MATLAB 7.3 MAT-file", "MATLAB"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"PK\x05\x06", "ZIP"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (257, b"ustar", "tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office"),
    (0, b"SQLite format 3\0", "SQLite"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM video"),
)
_BRANDS = {  # ISO/IEC 14496-12: the brand behind "ftyp"
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"jxl ": "JPEG XL",
    b"jp2 ": "JPEG 2000",
    b"jpx ": "JPEG 2000",
    b"crx ": "Canon raw",
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx"), "HEIC"),
    **dict.fromkeys((b"heim", b"heis", b"hevm", b"hevs"), "HEIC"),
    **dict.fromkeys((b"mif1", b"mif2", b"msf1", b"miaf", b"avci", b"avcs"), "HEIF"),
}
_HINTS = {
    "Git LFS pointer": "the image was not fetched: git lfs pull",
    "git-annex pointer": "the image was not fetched: git annex get",
    "HTML (a web page, perhaps a log-in)": "download the image again and look at what came",
    **dict.fromkeys(("bzip2", "xz", "Zstandard", "7-Zip", "RAR", "tar"), "unpack it"),
}
_READERS = {"dicom": "pydicom", "nifti": "nibabel"}
#: What takes scans: neither standard input nor ``Classifier.predict``, which take one image.
_AS_SCAN = "give its file by name to brain-infer, or use open_study in Python"
_PAIR = "it is one of a pair, .hdr and .img: convert both to one .nii.gz"
_READ_AS_SCANS = {"DICOM": "dicom", "NIfTI": "nifti"}  # by the beginning of the format's name
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"
_TGA_HEADER = struct.Struct("<BBBHHBHHHHBB")


def name_of_foreign_format(data: bytes) -> str | None:
    """Name a known format that is not accepted, or None if the bytes are not recognised.

    Args:
        data: Of a whole file.
    """
    medical = name_of_medical_format(data)
    if medical:
        return medical
    if data.startswith(_READ):
        return name_of_unread_jpeg(data)
    return (
        name_by_magic(data, _MAGIC)
        or _iso_media(data)
        or _netpbm(data)
        or _icon(data)
        or _tga(data)
        or name_of_text(data)
    )


def hint_for(name: str) -> str:
    """Return a hint for a format of this name."""
    if name == "DICOM, compressed with gzip":
        return "unpack it"
    for start, extra in _READ_AS_SCANS.items():
        if name.startswith(start) and "pair" not in name:
            package, how = _READERS[extra], _AS_SCAN
            if find_spec(package) is None:
                how = f"{how}, with the extra: pip install 'brain-edge[{extra}]'"
            return how
    if name == "ZIP":
        return f"if scans are in it: {_AS_SCAN}; else unpack it"
    if "pair" in name or name.startswith("Analyze"):
        return _PAIR
    return _HINTS.get(name, "export the slice as PNG")


def _iso_media(data: bytes) -> str | None:
    if data[4:8] != b"ftyp":
        return None
    # The first brand may be a general one, such as mif1 for an AVIF; the compatible brands follow.
    size = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))]
    names = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if not names:
        return "MP4, QuickTime or another video"
    return next((name for name in names if name != "HEIF"), "HEIF")


def _netpbm(data: bytes) -> str | None:
    is_netpbm = data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace()
    return f"Netpbm (PBM, PGM or PPM: P{data[1:2].decode()})" if is_netpbm else None


def _icon(data: bytes) -> str | None:
    has_entry = data[4:6] not in (b"", b"\0\0") and data[9:10] == b"\0"
    kind = {b"\0\0\1\0": "Windows icon (ICO)", b"\0\0\2\0": "Windows cursor (CUR)"}
    return kind.get(data[:4]) if has_entry else None


def _tga(data: bytes) -> str | None:
    if data[-18:] == _TGA_FOOTER:
        return "TGA"
    if len(data) < _TGA_HEADER.size:
        return None
    id_length, has_map, kind, *rest = _TGA_HEADER.unpack_from(data)
    _, map_length, map_bits, _, _, width, height, bits, flags = rest
    plausible = (
        (has_map, kind) in {(1, 1), (0, 2), (0, 3), (1, 9), (0, 10), (0, 11)}
        and bits in {8, 15, 16, 24, 32}
        and map_bits in ({15, 16, 24, 32} if has_map else {0})
        and bool(map_length) == bool(has_map)
        and min(width, height) > 0
        and flags & 0xC0 == 0
    )
    if not plausible:
        return None
    header = _TGA_HEADER.size + id_length + map_length * ((map_bits + 7) // 8)
    pixels = width * height * ((bits + 7) // 8)
    if kind < 9:  # uncompressed: the size must fit, except for a short trailer
        return "TGA" if header + pixels <= len(data) <= header + pixels + 4096 else None
    # Run lengths: a packet of 128 pixels takes two bytes or more; single pixels take one more each.
    return "TGA" if header + pixels // 128 < len(data) < header + 2 * pixels + 4096 else None
