"""The kind of scanner is told in words of a list; what anybody typed is not."""

from typing import Any

import pytest
from dicom_files import drawn_volume, enhanced_mr, mr_slice, scan_file

from edge_infer.dicom.read import open_dicom

HEAD = drawn_volume(slices=3, rows=48, columns=40)[1]


@pytest.mark.parametrize(
    ("maker", "model", "device"),
    [
        ("SIEMENS", "Prisma_fit", "Siemens Prisma Fit"),
        ("Siemens Healthineers", "MAGNETOM Free.Max", "Siemens Magnetom Free.Max"),
        ("SIEMENS", "TrioTim", "Siemens TrioTim"),
        ("GE MEDICAL SYSTEMS", "DISCOVERY MR750w", "GE Discovery MR750w"),
        ("GE MEDICAL SYSTEMS", "Signa HDxt", "GE Signa HDxt"),
        ("Philips Medical Systems", "Ingenia Elition X", "Philips Ingenia Elition X"),
        ("Philips", "MR 7700", "Philips MR 7700"),
        ("TOSHIBA_MEC", "Titan 3T", "Toshiba Titan 3T"),
        ("UIH", "uMR 790", "United Imaging uMR 790"),
        ("Hyperfine", "Swoop", "Hyperfine Swoop"),
        ("SIEMENS", None, "Siemens"),
        ("SIEMENS", "Hans Vision Müller 19700101 790 3.0T", "Siemens Vision 3.0T"),
        ("Müller^Hans", "Prisma", ""),
        ("", "Prisma", ""),
        (None, None, ""),
        (["SIEMENS", "B"], "Vida", "Siemens Vida"),
    ],
)
def test_maker_and_model_are_told_in_listed_words(
    maker: Any, model: str | None, device: str
) -> None:
    dataset = mr_slice(HEAD, Manufacturer=maker, ManufacturerModelName=model)
    (one,) = open_dicom(scan_file(dataset))
    assert one.device == device


def test_all_frames_of_a_file_name_its_device() -> None:
    dataset = enhanced_mr(Manufacturer="Canon", ManufacturerModelName="Vantage Galan 3T")
    assert {one.device for one in open_dicom(scan_file(dataset))} == {"Canon Vantage Galan 3T"}
