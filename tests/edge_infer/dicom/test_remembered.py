"""Parts of a header that all frames ask for are looked up once, and are as pydicom has them."""

from unittest import mock

import pytest
from dicom_files import drawn_volume, enhanced_mr, scan_file
from pydicom.dataset import Dataset

from edge_infer.dicom import texts
from edge_infer.dicom.header import has_value, item_of, items_of, raw, whole, words
from edge_infer.dicom.read import open_dicom
from edge_infer.dicom.remembered import Remembered


def _dataset() -> Dataset:
    inner = Dataset()
    inner.FrameType = ["ORIGINAL", "PRIMARY"]
    dataset = Dataset()
    dataset.Rows, dataset.Modality = 64, ""
    dataset.MRImageFrameTypeSequence = [inner]
    dataset.PlanePositionSequence = [Dataset()]
    return dataset


def test_values_are_those_of_the_dataset() -> None:
    dataset = _dataset()
    known = Remembered(dataset)
    for keyword in ("Rows", "Columns", "Modality"):
        assert raw(known, keyword) == raw(dataset, keyword)
        assert has_value(known, keyword) == has_value(dataset, keyword)
        assert (keyword in known) == (keyword in dataset)
    assert whole(known, "Rows") == 64
    item = item_of(known, "MRImageFrameTypeSequence")
    assert item is not None
    assert words(item, "FrameType") == ("ORIGINAL", "PRIMARY")
    assert item_of(known, "PixelMeasuresSequence") is None
    empty = items_of(known, "PlanePositionSequence")
    assert len(empty) == 1
    assert not empty[0]  # so that the shared group counts


def test_a_value_is_looked_up_once() -> None:
    dataset = mock.Mock(wraps=_dataset())
    known = Remembered(dataset)
    for _ in range(3):
        known.get("Rows")
        assert known.get("MRImageFrameTypeSequence")[0] is item_of(
            known, "MRImageFrameTypeSequence"
        )
    assert dataset.get.call_count == 2


def test_the_texts_of_a_file_are_looked_through_once_for_all_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = mock.Mock(wraps=texts.described_as)
    monkeypatch.setattr(texts, "described_as", looked)
    slices = open_dicom(scan_file(enhanced_mr(drawn_volume(slices=6, rows=32, columns=32))))
    assert len(slices) == 6
    assert looked.call_count <= 3
