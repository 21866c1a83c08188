import io

import numpy as np
import pydicom
import pytest
from dicom_files import drawn_volume, enhanced_mr, mr_series
from PIL import Image, ImageDraw
from pydicom.dataset import FileDataset
from series_results import ALGORITHM, prediction, series_of

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.series.result import SeriesResult
from edge_infer.structured.captures import build_captures
from edge_infer.structured.document import as_file
from edge_infer.structured.drawings import MOST_OVERLAYS, Drawing
from edge_infer.structured.notice import with_notice
from edge_infer.structured.source import read_source


def captures_of(result: SeriesResult, *drawings: Drawing) -> list[FileDataset]:
    """The captures, written and read again."""
    built = build_captures(result, read_source(result), ALGORITHM, drawings=drawings or None)
    return [pydicom.dcmread(io.BytesIO(as_file(one))) for one in built]


def test_slices_that_are_called_a_tumour_are_shown_under_their_heat_maps() -> None:
    result = series_of()
    captures = captures_of(result)
    assert len(captures) == 2
    for capture, number in zip(captures, (5, 6), strict=True):
        identity = result.slices[number - 1].slice.identity
        assert identity is not None
        (source,) = capture.SourceImageSequence
        assert source.ReferencedSOPInstanceUID == identity.sop_instance_uid
        assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        (series,) = capture.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == identity.series_instance_uid
        assert capture.DerivationDescription.startswith(f"Slice {number} of 9, axial")
        pixels = capture.pixel_array
        assert pixels.shape == (capture.Rows, capture.Columns, 3)
        red = pixels[..., 0].astype(int) - pixels[..., 2]
        assert red[100:400].max() > 40  # the place of the evidence


def test_a_capture_says_what_it_is() -> None:
    capture = captures_of(series_of())[0]
    assert capture.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert (capture.Modality, capture.ConversionType) == ("OT", "DI")
    assert capture.BurnedInAnnotation == "YES"
    assert capture.BodyPartExamined == "BRAIN"
    assert capture.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert capture.PhotometricInterpretation == "RGB"
    assert list(capture.PatientOrientation) == ["L", "P"]
    assert "UNVERIFIED" in capture.SeriesDescription
    assert RESEARCH_USE_ONLY in capture.DerivationDescription
    assert "ImagePositionPatient" not in capture
    assert capture.LossyImageCompression == "00"


def test_pixels_that_were_once_compressed_with_loss_stay_so() -> None:
    datasets = mr_series(
        drawn_volume(slices=4, rows=32, columns=32),
        LossyImageCompression="01",
        LossyImageCompressionRatio="12.5",
    )
    capture = captures_of(series_of(datasets))[0]
    assert (capture.LossyImageCompression, capture.LossyImageCompressionRatio) == ("01", 12.5)


def test_the_notice_is_drawn_and_no_name_of_a_patient_or_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    original = ImageDraw.ImageDraw.text

    def remember(self, place, text, **options):  # type: ignore[no-untyped-def]
        box = self.textbbox(place, text, font=options["font"], anchor=options.get("anchor"))
        assert box[0] >= 0
        assert box[2] <= self.im.size[0]
        drawn.append(text)
        original(self, place, text, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", remember)
    captures_of(series_of())
    words = "\n".join(drawn)
    assert "UNVERIFIED   Slice 5 of 9, axial, 16.0 mm" in drawn
    assert RESEARCH_USE_ONLY in drawn
    assert any(ALGORITHM.manifest_sha256[:12] in one for one in drawn)
    assert "R" in drawn  # the side at the left
    assert "CANARY" not in words
    assert ".dcm" not in words


def test_the_number_of_overlays_is_bounded() -> None:
    datasets = mr_series(drawn_volume(slices=60, rows=16, columns=16))
    result = series_of(datasets, given=lambda *_: prediction("glioma"))
    assert len(captures_of(result)) == MOST_OVERLAYS


def test_a_contact_sheet_refers_to_all_that_it_shows() -> None:
    dataset = enhanced_mr(drawn_volume(slices=9, rows=32, columns=32))
    result = series_of([dataset])
    sheet = Drawing(
        image=Image.new("RGB", (801, 601), (9, 99, 200)), title="Series", slices=result.slices[2:5]
    )
    (capture,) = captures_of(result, sheet)
    assert list(capture.SourceImageSequence[0].ReferencedFrameNumber) == [3, 4, 5]
    assert (
        "ReferencedFrameNumber"
        not in capture.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    )
    assert not capture.PatientOrientation
    pixels = capture.pixel_array
    assert (pixels == (9, 99, 200)).all(axis=2).sum() == 801 * 601
    assert pixels.shape[0] % 2 == pixels.shape[1] % 2 == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (5000, 4000)])
def test_any_size_gets_a_readable_notice(size: tuple[int, int]) -> None:
    noticed = with_notice(Image.new("L", size, 128), "A title", ALGORITHM)
    assert noticed.mode == "RGB"
    assert max(noticed.size) < 2400
    assert np.asarray(noticed).std() > 0
