"""No name, date or free text of a header is in any output: 200 attributes are planted, then everything is searched.

DICOM objects that are written carry the patient's identity on purpose: tests/edge_infer/structured looks at them.
"""

import logging
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from dicom_files import file_bytes, mr_series
from PIL import Image, ImageDraw
from pydicom.datadict import DicomDictionary, dictionary_VR
from pydicom.dataset import FileDataset
from pydicom.tag import Tag
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.cli import main
from edge_infer.quiet_pillow import quiet_pillow

CANARY = "CANARY"
#: Kinds of values that may hold what somebody typed, or what should be a number, a date or a code word.
_KINDS = ("PN", "LO", "SH", "LT", "ST", "UT", "UC", "DA", "TM", "DT", "AS", "DS", "IS", "AE", "CS")
_GREYS = [HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA]

#: Attributes that a reader relies on: a wrong value in one of them is refused or warned of, never shown.
_RELIED_ON = (
    *("Modality", "ImageType", "BodyPartExamined", "PhotometricInterpretation", "SOPClassUID"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "WindowCenter", "WindowWidth"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "PixelSpacing", "ImagePositionPatient"),
    *("ImageOrientationPatient", "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle"),
    *("ScanningSequence", "SequenceVariant", "ContrastBolusAgent", "NumberOfFrames"),
    *("SpecificCharacterSet", "PresentationLUTShape", "BurnedInAnnotation", "VOILUTFunction"),
    *("PixelAspectRatio", "LossyImageCompression", "ConversionType", "SeriesDescription"),
    *("ProtocolName", "SequenceName", "WindowCenterWidthExplanation", "LossyImageCompressionRatio"),
    *("PatientName", "PatientBirthDate", "StudyDate", "SliceLocation", "InstanceNumber"),
)

#: Of these, any value is allowed.
_SHOWN_NOWHERE = ("PatientName", "StudyDate", "PatientBirthDate", "SliceLocation", "InstanceNumber")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    body = manifest_body(trust=tiny_trust(), series=tiny_series())
    write_bundle(path, files_with_scope(), body)
    return path


@pytest.fixture
def drawn_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn into an image."""
    texts: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def remember(self: Any, place: Any, text: str, *arguments: Any, **options: Any) -> None:
        texts.append(text)
        draw(self, place, text, *arguments, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", remember)
    return texts


def with_planted(dataset: FileDataset, texts: Mapping[int, str]) -> bytes:
    """Return a file with texts where they may not belong, byte by byte: pydicom writes nothing that is wrong."""
    data = file_bytes(dataset)
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]  # behind the meta information
    elements: dict[int, bytes] = {}
    at = start
    while at < len(data):
        group, element = struct.unpack_from("<HH", data, at)
        is_long = data[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC")
        length = struct.unpack_from("<I" if is_long else "<H", data, at + (8 if is_long else 6))[0]
        end = at + (12 if is_long else 8) + length
        elements[group << 16 | element] = data[at:end]
        at = end
    for tag, text in texts.items():
        elements[tag] = _element(tag, text.encode() + b" " * (len(text) % 2))
    return data[:start] + b"".join(elements[tag] for tag in sorted(elements))


def _element(tag: int, value: bytes) -> bytes:
    kind = dictionary_VR(tag).encode()
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind
    if kind in (b"UT", b"UC", b"UN", b"OB", b"OW"):
        return start + b"\0\0" + struct.pack("<I", len(value)) + value
    return start + struct.pack("<H", len(value)) + value


def series() -> list[FileDataset]:
    volume = np.stack(_GREYS).astype(np.uint16)
    return mr_series(volume, WindowCenter="128", WindowWidth="256")


def full_of_canaries() -> list[bytes]:
    """A series that can be read, with a planted text in 200 attributes and more that no slice needs."""
    kept = {Tag(keyword) for keyword in _RELIED_ON if keyword not in _SHOWN_NOWHERE}
    kept |= {Tag("PatientOrientation")}
    wanted = [
        tag
        for tag, (kind, *_) in sorted(DicomDictionary.items())
        if kind in _KINDS and 0x0008 <= tag >> 16 <= 0x0040 and tag not in kept
    ]
    chosen = wanted[:: max(1, len(wanted) // 220)] + [Tag(keyword) for keyword in _SHOWN_NOWHERE]
    assert len(set(chosen)) >= 200
    files = []
    for dataset in series():
        for group in (0x0009, 0x0011, 0x0029):
            block = dataset.private_block(group, f"{CANARY} MAKER", create=True)
            block.add_new(0x10, "LO", f"{CANARY} PRIVATE")
            block.add_new(0x11, "UN", b"CANARY UNKNOWN")
        dataset.file_meta.ImplementationVersionName = "CANARYVERSION"
        dataset.file_meta.SourceApplicationEntityTitle = "CANARYTITLE"
        dataset.preamble = (CANARY.encode() * 22)[:128]
        texts = {tag: f"{CANARY}{number}" for number, tag in enumerate(chosen)}
        files.append(with_planted(dataset, texts))
    return files


def outputs(
    bundle: Path, folder: Path, *arguments: object, capfd: pytest.CaptureFixture[str]
) -> Iterator[str]:
    """Yield everything that a run prints in each form."""
    for form in ([], ["--json"], ["--csv"]):
        words = ["--debug", "--bundle", bundle, "--threads", 1, *form, *arguments, folder]
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert not isinstance(result.exception, Exception)  # SystemExit is how commands end
        yield result.stdout
        yield result.stderr
        yield "".join(capfd.readouterr())


def test_two_hundred_planted_texts_are_nowhere(
    bundle: Path,
    tmp_path: Path,
    drawn_texts: list[str],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for number, data in enumerate(full_of_canaries()):
        (folder / str(number)).write_bytes(data)
    assert (folder / "0").read_bytes().count(CANARY.encode()) > 200
    caplog.set_level(logging.DEBUG)
    sheets = tmp_path / "sheets"
    printed = list(outputs(bundle, folder, "--heatmap", sheets, capfd=capfd))
    assert any("tumour evidence: glioma" in text for text in printed)  # it was read, and answered
    assert all(CANARY not in text for text in printed)
    assert CANARY not in caplog.text
    (sheet,) = sheets.iterdir()
    assert CANARY.encode() not in sheet.read_bytes()
    with Image.open(sheet) as image:
        assert image.info == {}
    assert any("glioma" in text for text in drawn_texts)
    assert all(CANARY not in text for text in drawn_texts)


@pytest.mark.parametrize("keyword", _RELIED_ON)
def test_a_planted_text_in_an_attribute_that_is_used_is_nowhere(
    bundle: Path,
    tmp_path: Path,
    keyword: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether the file is refused, damaged or answered with a warning."""
    path = tmp_path / "slice"
    path.write_bytes(with_planted(series()[2], {Tag(keyword): CANARY}))
    assert CANARY.encode() in path.read_bytes()
    caplog.set_level(logging.DEBUG)
    for text in outputs(bundle, path, capfd=capfd):
        assert CANARY not in text
    assert CANARY not in caplog.text


def test_a_planted_transfer_syntax_is_nowhere(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = file_bytes(series()[2])
    syntax = b"1.2.840.10008.1.2.1\0"
    assert syntax in data
    path = tmp_path / "slice"
    path.write_bytes(data.replace(syntax, CANARY.encode().ljust(len(syntax), b"X")))
    for text in outputs(bundle, path, capfd=capfd):
        assert CANARY not in text


def test_planted_texts_of_a_volume_are_nowhere(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    volume = np.stack(_GREYS).transpose(2, 1, 0).astype(np.uint8)
    image = nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 4.0, 1.0]))
    for field in ("descrip", "db_name", "aux_file", "intent_name"):
        image.header[field] = CANARY.encode()
    comment = nib.nifti1.Nifti1Extension("comment", b"CANARY COMMENT")
    image.header.extensions.append(comment)
    nib.save(image, tmp_path / "v.nii")
    assert (tmp_path / "v.nii").read_bytes().count(CANARY.encode()) == 5
    for text in outputs(bundle, tmp_path / "v.nii", capfd=capfd):
        assert CANARY not in text
    cut = (tmp_path / "v.nii").read_bytes()[:-300]
    (tmp_path / "v.nii").write_bytes(cut)
    for text in outputs(bundle, tmp_path / "v.nii", capfd=capfd):
        assert CANARY not in text


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_planted_texts_of_an_image_are_in_no_log_either(
    bundle: Path,
    tmp_path: Path,
    kind: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the level DEBUG Pillow itself logs each of them."""
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = f"{CANARY} DESCRIPTION", f"{CANARY} ARTIST"
    path = tmp_path / "image"
    Image.fromarray(GLIOMA).save(path, kind, exif=exif)
    assert path.read_bytes().count(CANARY.encode()) == 2
    quiet_pillow.cache_clear()
    logging.getLogger("PIL").setLevel(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    with Image.open(path) as image:
        image.getexif()
    assert CANARY in caplog.text or kind == "PNG"  # so this test can fail
    caplog.clear()
    for text in outputs(bundle, path, capfd=capfd):
        assert CANARY not in text
    assert CANARY not in caplog.text


def test_the_search_finds_what_is_there(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """File names are given by the user, and are shown."""
    path = tmp_path / f"{CANARY}.dcm"
    path.write_bytes(file_bytes(series()[2]))
    assert any(CANARY in text for text in outputs(bundle, path, capfd=capfd))
