"""Which reader a file is for, by its first 512 bytes."""

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from dicom_files import compressed, drawn_volume, file_bytes, mr_slice
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import CorruptImage, ScanRefused, UnsupportedImage
from edge_infer.formats import foreign
from edge_infer.image_file import open_source
from edge_infer.refusals import OVERRULABLE, Refusal
from edge_infer.scan_files import START_BYTES, kind_of


def _files() -> dict[str, bytes]:
    slice_ = file_bytes(mr_slice(drawn_volume()[4]))
    volume = nibabel.Nifti1Image(drawn_volume(), np.eye(4)).to_bytes()
    png, archive = io.BytesIO(), io.BytesIO()
    Image.new("L", (32, 32)).save(png, "PNG")
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("a.dcm", slice_)
    return {
        "dicom": slice_,
        "no-preamble": slice_[132:],
        "nifti": volume,
        "nifti-2": nibabel.Nifti2Image(drawn_volume(), np.eye(4)).to_bytes(),
        "nifti-gz": gzip.compress(volume),
        "zip": archive.getvalue(),
        "png": png.getvalue(),
        "dicom-gz": gzip.compress(slice_),
        "empty": b"",
        "text": b"a text that speaks of DICM and n+1" * 20,
    }


def test_each_kind_of_scan_is_known_by_its_beginning() -> None:
    found = {name: kind_of(data[:START_BYTES]) for name, data in _files().items()}
    assert found == {
        "dicom": "dicom",
        "no-preamble": "dicom",
        "nifti": "nifti",
        "nifti-2": "nifti",
        "nifti-gz": "nifti",
        "zip": "zip",
        "png": None,
        "dicom-gz": None,
        "empty": None,
        "text": None,
    }


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big-endian"])
def test_a_dataset_without_meta_information_is_known_as_dicom(syntax: str) -> None:
    data = file_bytes(compressed(mr_slice(drawn_volume()[4]), syntax))
    body = data[132 + 12 + int.from_bytes(data[140:144], "little") :]
    assert kind_of(body[:START_BYTES]) == "dicom"


@pytest.mark.parametrize(
    ("name", "extra"), [("dicom", "dicom"), ("nifti", "nifti"), ("nifti-gz", "nifti")]
)
def test_a_scan_given_as_an_image_is_refused_with_what_reads_it(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        open_source(_files()[name])
    how = "give its file by name to brain-infer, or use open_study in Python"
    assert caught.value.hint == how
    monkeypatch.setattr(foreign, "find_spec", lambda _: None)
    with pytest.raises(UnsupportedImage) as caught:
        open_source(_files()[name])
    assert caught.value.hint == f"{how}, with the extra: pip install 'brain-edge[{extra}]'"


def test_what_no_extra_reads_does_not_name_one() -> None:
    for name in ("dicom-gz", "zip"):
        with pytest.raises(UnsupportedImage) as caught:
            open_source(_files()[name])
        assert caught.value.hint.endswith("unpack it")
        assert ("brain-infer" in caught.value.hint) == (name == "zip")


@pytest.mark.parametrize("ending", [".img", ".IMG", ".img.gz"])
@pytest.mark.parametrize("values", [np.arange(4000), np.zeros(4000)], ids=["as an icon", "zeros"])
def test_the_values_of_a_pair_alone_are_called_so(
    tmp_path: Path, ending: str, values: NDArray[Any]
) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(values.astype("<i2").tobytes())
    with pytest.raises(UnsupportedImage, match=r"a pair, \.hdr and \.img"):
        open_source(path)


def test_what_is_not_called_so_is_no_pair(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(8000))
    with pytest.raises(CorruptImage, match="is not an image"):
        open_source(path)


@pytest.mark.parametrize("name", ["a.hdr", "a.img"])
def test_halves_of_a_pair_name_the_pair(tmp_path: Path, name: str) -> None:
    pair = nibabel.Nifti1Pair(drawn_volume(), np.eye(4))
    nibabel.save(pair, tmp_path / "a.img")
    with pytest.raises(UnsupportedImage, match=r"pair, |pair of") as caught:
        open_source(tmp_path / name)
    assert ".nii.gz" in caught.value.hint


def test_a_refusal_has_a_code_of_its_own_and_says_which_it_is() -> None:
    error = ScanRefused("a: is a mosaic", refusal=Refusal.MOSAIC)
    assert (error.code, error.exit_code, error.refusal) == ("scan_refused", 25, "mosaic")


def test_what_is_no_slice_of_a_head_cannot_be_overruled() -> None:
    never = {"dicomdir", "not_an_image", "mosaic", "phase_image", "several_volumes", "colour"}
    assert {refusal.value for refusal in set(Refusal) - OVERRULABLE} == never
