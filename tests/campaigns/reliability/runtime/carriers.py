"""Files that are full of canaries: DICOM, NIfTI, images, archives, and what is none of them; whole or damaged."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import nibabel as nib
import numpy as np
from dicom_files import enhanced_mr, file_bytes, mr_series
from PIL import Image, PngImagePlugin, TiffImagePlugin
from pydicom.datadict import DicomDictionary
from pydicom.tag import Tag
from reliability.runtime.marks import KANJI, LATIN, Marks
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import scan

__all__ = ["CARRIERS", "Files"]

#: By name; one file, or the slices of a series.
Files = dict[str, bytes]

_GREYS = np.stack([HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA]).astype(np.uint16)
_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OF", b"OD", b"OL", b"OV")
_KINDS = (
    "PN",
    "LO",
    "SH",
    "LT",
    "ST",
    "UT",
    "UC",
    "UR",
    "DA",
    "DT",
    "TM",
    "AS",
    "DS",
    "IS",
    "AE",
    "CS",
    "UN",
    "OB",
)

#: Attributes that a reader relies on.
_RELIED_ON = (
    *("Modality", "ImageType", "BodyPartExamined", "PhotometricInterpretation", "SOPClassUID"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "WindowCenter", "WindowWidth"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "PixelSpacing", "ImagePositionPatient"),
    *("ImageOrientationPatient", "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle"),
    *("ScanningSequence", "SequenceVariant", "ContrastBolusAgent", "NumberOfFrames"),
    *("SpecificCharacterSet", "PresentationLUTShape", "BurnedInAnnotation", "VOILUTFunction"),
    *("PixelAspectRatio", "LossyImageCompression", "ConversionType", "SeriesDescription"),
    *("ProtocolName", "SequenceName", "WindowCenterWidthExplanation", "LossyImageCompressionRatio"),
    *(
        "PatientOrientation",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "PixelRepresentation",
    ),
    *(
        "SamplesPerPixel",
        "HighBit",
        "LossyImageCompressionMethod",
        "AcquisitionContrast",
        "AnatomicRegionSequence",
    ),
)
_KEPT = {int(Tag(keyword)) for keyword in _RELIED_ON} | {0x00080005}
_FREE = [
    tag
    for tag, (kind, _, _, _, keyword) in sorted(DicomDictionary.items())
    if kind in _KINDS
    and keyword
    and 0x00080000 < tag < 0x7FE00000
    and tag not in _KEPT
    and "Group" not in keyword
]
_SEQUENCES = [
    tag
    for tag, (kind, *_) in sorted(DicomDictionary.items())
    if kind == "SQ" and 0x00080000 < tag < 0x00700000
]

#: Term, coding, letters for names and texts.
_CHARACTER_SETS = (
    ("", "ascii", ""),
    ("ISO_IR 100", "latin-1", LATIN),
    ("ISO_IR 192", "utf-8", KANJI + LATIN),
    (r"\ISO 2022 IR 87", "iso2022_jp", KANJI),
)


def _element(tag: int, kind: str, value: bytes, *, odd: bytes = b" ") -> bytes:
    code, value = kind.encode(), value + odd * (len(value) % 2)
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + code
    if code in _LONG:
        return start + b"\0\0" + struct.pack("<I", len(value)) + value
    return start + struct.pack("<H", len(value)) + value


def _value(
    kind: str, marks: Marks, charset: tuple[str, str, str], rng: np.random.Generator
) -> bytes:
    """Return a canary as a value of this kind has to look, or now and then as it must not."""
    _, coding, letters = charset
    text = marks.next()
    if kind == "DA" and rng.random() < 0.7:
        return marks.date.encode()
    if kind == "DT" and rng.random() < 0.7:
        return f"{marks.date}120000.5".encode()
    if kind == "UR":
        return f"http://{text}.example/".encode()
    if kind == "PN":
        return f"{text}^{letters}".encode(coding)
    if kind in ("LT", "ST", "UT", "UC", "LO"):
        return f"{text} {letters}".encode(coding)
    if kind == "SH" and coding != "iso2022_jp":
        return f"{text}{letters[:2]}".encode(coding)
    return text.encode()


def _item(elements: Mapping[int, bytes]) -> bytes:
    body = b"".join(elements[tag] for tag in sorted(elements))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def _planted(
    data: bytes, marks: Marks, rng: np.random.Generator, *, also: Mapping[int, bytes] | None = None
) -> bytes:
    """Return a file in explicit little endian with 220 canaries in other attributes, private and nested ones too."""
    charset = _CHARACTER_SETS[int(rng.integers(len(_CHARACTER_SETS)))]
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]  # behind the meta information
    elements = _elements(data, start)
    if charset[0]:
        elements[0x00080005] = _element(0x00080005, "CS", charset[0].encode())

    def planted(tag: int) -> bytes:
        kind = DicomDictionary[tag][0]
        return _element(
            tag,
            kind,
            _value(kind, marks, charset, rng),
            odd=b"\0" if kind in ("UN", "OB") else b" ",
        )

    def some(count: int) -> dict[int, bytes]:
        return {int(tag): planted(int(tag)) for tag in rng.choice(_FREE, count, replace=False)}

    for tag, made in some(200).items():
        elements[tag] = made
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "StudyDate",
        "AccessionNumber",
        "StudyDescription",
    ):
        elements[int(Tag(keyword))] = planted(int(Tag(keyword)))
    for tag in rng.choice(_SEQUENCES, 6, replace=False):
        inner = {**some(3), 0x00081140: _element(0x00081140, "SQ", _item(some(2)))}
        if int(tag) not in elements:
            elements[int(tag)] = _element(int(tag), "SQ", _item(inner))
    for group in (0x0009, 0x0011, 0x0029, 0x0099):
        block = group << 16
        elements[block | 0x0010] = _element(block | 0x0010, "LO", marks.next().encode())
        for number, kind in enumerate(("LO", "UN", "OB", "PN")):
            elements[block | 0x1010 + number] = _element(
                block | 0x1010 + number, kind, _value(kind, marks, charset, rng)
            )
    elements.update(also or {})
    head = (marks.next().encode() * 12)[:128] + data[128:start]
    return head + b"".join(elements[tag] for tag in sorted(elements))


def _elements(data: bytes, start: int) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    at = start
    while at < len(data):
        group, element = struct.unpack_from("<HH", data, at)
        is_long = data[at + 4 : at + 6] in _LONG
        length = struct.unpack_from("<I" if is_long else "<H", data, at + (8 if is_long else 6))[0]
        end = at + (12 if is_long else 8) + length
        elements[group << 16 | element] = data[at:end]
        at = end
    return elements


def _slices(marks: Marks) -> list[bytes]:
    made = mr_series(
        _GREYS, study=marks.beginning, canaries=False, WindowCenter="128", WindowWidth="256"
    )
    for dataset in made:
        dataset.file_meta.ImplementationVersionName = marks.next()
        dataset.file_meta.SourceApplicationEntityTitle = marks.next()
    return [file_bytes(dataset) for dataset in made]


def _series(marks: Marks, rng: np.random.Generator) -> Files:
    seed = int(rng.integers(2**31))  # the same patient in each slice
    return {
        f"{number}.dcm": _planted(one, _again(marks), np.random.default_rng(seed))
        for number, one in enumerate(_slices(marks))
    }


def _again(marks: Marks) -> Marks:
    """Return canaries that count from the start, so that each slice has the same."""
    copy = object.__new__(Marks)
    copy.__dict__.update(marks.__dict__, _count=0)
    return copy


def _relied_on(marks: Marks, rng: np.random.Generator) -> Files:
    keyword = _RELIED_ON[int(rng.integers(len(_RELIED_ON)))]
    tag = int(Tag(keyword))
    kind = DicomDictionary[tag][0].split()[0]
    text = f"{marks.next()}^JANE" if rng.random() < 0.5 else marks.next()
    wrong = {
        tag: _element(tag, kind if kind != "SQ" or rng.random() < 0.5 else "LO", text.encode())
    }
    return {"slice.dcm": _planted(_slices(marks)[2], marks, rng, also=wrong)}


def _damaged(marks: Marks, rng: np.random.Generator) -> Files:
    files = _series(marks, rng)
    return {
        name: _spoilt(data, rng) if number % 2 else data
        for number, (name, data) in enumerate(files.items())
    }


def _spoilt(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut it, or change a few bytes behind the first ones that say what it is."""
    if rng.random() < 0.4:
        return data[: int(rng.integers(len(data) // 8, len(data)))]
    spoilt = bytearray(data)
    first = 140 if data[128:132] == b"DICM" else 8
    for place in rng.integers(first, len(spoilt), int(rng.integers(1, 30))):
        spoilt[place] = int(rng.integers(256))
    return bytes(spoilt)


def _meta(marks: Marks, rng: np.random.Generator) -> Files:
    """Canaries where the meta information has transfer syntax, class and identifiers."""
    data = _planted(_slices(marks)[2], marks, rng)
    for value in (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.5.1.4.1.1.4\0"):
        if rng.random() < 0.6:
            data = data.replace(value, marks.next().encode().ljust(len(value), b"X"), 1)
    return {"slice.dcm": data}


def _enhanced(marks: Marks, rng: np.random.Generator) -> Files:
    dataset = enhanced_mr(_GREYS, canaries=False, study=marks.beginning)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.FrameContentSequence[0].FrameComments = marks.next()
        frame.FrameContentSequence[0].FrameLabel = marks.next()
        frame.private_block(0x0099, marks.next(), create=True).add_new(0x01, "LO", marks.next())
    data = _planted_top(file_bytes(dataset), marks, rng)
    return {"enhanced.dcm": _spoilt(data, rng) if rng.random() < 0.4 else data}


def _planted_top(data: bytes, marks: Marks, rng: np.random.Generator) -> bytes:
    try:
        return _planted(data, marks, rng)
    except struct.error:  # sequences of undefined length are not taken apart here
        return data


def _archive(marks: Marks, rng: np.random.Generator) -> Files:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (_damaged if rng.random() < 0.4 else _series)(marks, rng).items():
            member = zipfile.ZipInfo(name)
            member.comment = marks.next().encode()
            archive.writestr(member, data)
        archive.writestr("words.txt", marks.next())
        archive.comment = marks.next().encode()
    data = packed.getvalue()
    return {"study.zip": data + marks.next().encode() if rng.random() < 0.1 else data}


def _volume(marks: Marks, rng: np.random.Generator) -> Files:
    kind = nib.Nifti1Image if rng.random() < 0.7 else nib.Nifti2Image
    image = kind(_GREYS.transpose(2, 1, 0).astype(np.uint8), np.diag([-1.0, -1.0, 4.0, 1.0]))
    for field in (
        "descrip",
        "aux_file",
        "intent_name",
        *(("db_name",) if kind is nib.Nifti1Image else ()),
    ):
        image.header[field] = marks.next().encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", marks.next().encode()))
    data = image.to_bytes()
    if rng.random() < 0.4:
        data = _spoilt(data, rng)
    if rng.random() < 0.5:
        return {"volume.nii": data}
    packed = io.BytesIO()
    with gzip.GzipFile(f"{marks.next()}.nii", "wb", fileobj=packed) as stream:
        stream.write(data)
    return {"volume.nii.gz": packed.getvalue()}


def _grey(rng: np.random.Generator) -> Image.Image:
    return (
        scan(int(rng.integers(1000)), (64, 64)) if rng.random() < 0.7 else Image.fromarray(GLIOMA)
    )


def _exif(marks: Marks) -> Image.Exif:
    exif = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x013C, 0x8298, 0x010D):
        exif[tag] = marks.next()
    exif[0x0132] = f"{marks.date[:4]}:{marks.date[4:6]}:{marks.date[6:]} 10:11:12"
    exif[0x9C9D] = marks.next().encode("utf-16-le")  # XPAuthor
    exif.get_ifd(0x8769).update(
        {0x9286: b"ASCII\0\0\0" + marks.next().encode(), 0xA430: marks.next()}
    )
    exif.get_ifd(0x8825).update({0x001B: marks.next().encode()})
    return exif


def _jpeg(marks: Marks, rng: np.random.Generator) -> Files:
    packed = io.BytesIO()
    comment = f"{marks.next()} {LATIN}".encode()
    xmp = f"<x:xmpmeta><dc:creator>{marks.next()}</dc:creator></x:xmpmeta>".encode()
    _grey(rng).save(packed, "JPEG", exif=_exif(marks), comment=comment, xmp=xmp)
    name = marks.next().encode()
    iptc = b"Photoshop 3.0\0008BIM\x04\x04\0\0" + struct.pack(">I", len(name) + 5) + b"\x1c\x02\x50"
    iptc += struct.pack(">H", len(name)) + name
    data = packed.getvalue()
    data = (
        data[:2]
        + b"\xff\xed"
        + struct.pack(">H", len(iptc) + 2)
        + iptc
        + data[2:]
        + marks.next().encode()
    )
    return {"image.jpg": _spoilt(data, rng) if rng.random() < 0.4 else data}


def _png(marks: Marks, rng: np.random.Generator) -> Files:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", marks.next())
    texts.add_text(marks.next(), LATIN)
    texts.add_text("Comment", marks.next() * 3, zip=True)
    texts.add_itxt("Patient", f"{marks.next()} {KANJI}", lang=marks.next(), zip=rng.random() < 0.5)
    texts.add(b"prVt", marks.next().encode())
    packed = io.BytesIO()
    _grey(rng).save(packed, "PNG", pnginfo=texts, exif=_exif(marks))
    data = packed.getvalue() + (marks.next().encode() if rng.random() < 0.3 else b"")
    if rng.random() < 0.4:
        data = _spoilt(data, rng)
    elif rng.random() < 0.2:  # a chunk whose name and sum are wrong
        wrong = struct.pack(">I", 11) + marks.next().encode()[:4] + marks.next().encode() + b"0000"
        data = data[:33] + wrong + data[33:]
    return {"image.png": data}


def _tiff(marks: Marks, rng: np.random.Generator) -> Files:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 271, 272, 285, 305, 315, 316, 33432, 65000, 65001):
        tags[tag] = marks.next()
        tags.tagtype[tag] = 2
    packed = io.BytesIO()
    kind = ("raw", "tiff_lzw", "tiff_deflate", "packbits")[int(rng.integers(4))]
    _grey(rng).save(packed, "TIFF", tiffinfo=tags, compression=kind)
    return {
        "image.tif": _spoilt(packed.getvalue(), rng) if rng.random() < 0.4 else packed.getvalue()
    }


def _foreign(marks: Marks, rng: np.random.Generator) -> Files:
    """What is no image or scan, or one of a kind that is refused."""
    text = f"{marks.next()} {LATIN} {KANJI} {marks.date}"
    gif, webp = io.BytesIO(), io.BytesIO()
    _grey(rng).save(gif, "GIF", comment=marks.next().encode())
    _grey(rng).save(webp, "WEBP", exif=_exif(marks))
    kinds: list[tuple[str, bytes]] = [
        *(("words.png", text.encode()), ("page.jpg", f"<!DOCTYPE html><p>{text}".encode())),
        *(
            ("table.tif", f"PatientID;{text}\n".encode()),
            ("note.png", f'{{"name": "{text}"}}'.encode()),
        ),
        *(("report.jpg", f"%PDF-1.7\n%{text}".encode()), ("image.png", gif.getvalue())),
        *(("image.jpg", webp.getvalue()), ("image.tif", b"BM" + text.encode() * 4)),
        *(
            ("packed.png", zlib.compress(text.encode())),
            ("svg.png", f"<svg><title>{text}</title></svg>".encode()),
        ),
        *(("wide.png", text.encode("utf-16")), ("scan.dcm", bytes(128) + b"DICM" + text.encode())),
        *(
            ("portable.png", f"P5\n# {text}\n8 8\n255\n".encode() + bytes(64)),
            ("mail.jpg", f"From: {text}".encode()),
        ),
    ]
    return dict([kinds[int(rng.integers(len(kinds)))]])


CARRIERS: dict[str, Callable[[Marks, np.random.Generator], Files]] = {
    "DICOM series": _series,
    "DICOM, attribute in use": _relied_on,
    "JPEG": _jpeg,
    "DICOM, damaged": _damaged,
    "PNG": _png,
    "DICOM, meta information": _meta,
    "NIfTI": _volume,
    "DICOM, enhanced": _enhanced,
    "TIFF": _tiff,
    "ZIP": _archive,
    "no image": _foreign,
}
