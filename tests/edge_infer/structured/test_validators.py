"""What programs of others say about the objects: dciodvfy of dicom3tools, dsrdump and dcm2pnm of DCMTK, Orthanc."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import drawn_volume, enhanced_mr, mr_series
from identity_cases import CHARACTER_SET, KEPT, NAME, OTHERS, REPAIRED, results_for
from PIL import Image
from series_results import (
    ALGORITHM,
    dicom_slices,
    prediction,
    series_of,
    series_result,
)

from edge_infer.scan_slice import ScanFile
from edge_infer.series.result import SeriesReason, SeriesResult, SliceState
from edge_infer.structured.document import as_file
from edge_infer.structured.write import build_results, write_results

pytestmark = pytest.mark.hospital

ROUND_TRIP = Path(__file__).parents[2] / "campaigns" / "orthanc_round_trip.py"


def needs(*programs: str) -> None:
    missing = [one for one in programs if shutil.which(one) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def errors_of(datasets: list[Any], folder: Path) -> list[str]:
    """The error lines of dciodvfy; its warnings are about private codes and names of the source."""
    needs("dciodvfy")
    found = []
    for dataset in datasets:
        path = folder / "object.dcm"
        path.write_bytes(as_file(dataset))
        run = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
        lines = (run.stdout + run.stderr).decode("latin-1").splitlines()
        assert {"Comprehensive3DSR", "SCImage"} & set(lines), lines
        found += [line for line in lines if "Error" in line]
    return found


DRAWN: dict[str, Callable[[], SeriesResult]] = {
    "tumour": series_of,
    "no tumour": lambda: series_of(
        given=lambda *_: prediction("no_tumor"), finding="no_tumour_evidence", label="", runs=()
    ),
    "no answer": lambda: series_of(
        given=lambda *_: SliceState.FAILED,
        finding="abstain",
        score=None,
        label="",
        runs=(),
        reasons=tuple(SeriesReason),
    ),
    "frames": lambda: series_of([enhanced_mr(drawn_volume(slices=9, rows=32, columns=32))]),
    "nothing known": lambda: series_of(
        mr_series(drawn_volume(slices=4, rows=32, columns=32), canaries=False)
    ),
    "compressed with loss": lambda: series_of(
        mr_series(
            drawn_volume(slices=4, rows=32, columns=32),
            LossyImageCompression="01",
            LossyImageCompressionRatio="12.5",
        )
    ),
    "compressed with loss, not known how strongly": lambda: series_of(
        mr_series(drawn_volume(slices=4, rows=32, columns=32), LossyImageCompression="01")
    ),
}


@pytest.mark.parametrize("case", DRAWN)
def test_dciodvfy_finds_no_error_whatever_the_result(case: str, tmp_path: Path) -> None:
    assert errors_of(build_results(DRAWN[case](), ALGORITHM), tmp_path) == []


@pytest.mark.parametrize("codes", ["ncit", "sct"])
@pytest.mark.parametrize("folder", ["philips_classic", "t1_7t_series", "enhanced_mr"])
@pytest.mark.real_scans
def test_dciodvfy_finds_no_error_for_real_series(
    folder: str, codes: Any, real_scans: Path, tmp_path: Path
) -> None:
    paths = sorted((real_scans / "dicom" / folder).glob("*.dcm"))
    paths = paths[:1] if folder == "enhanced_mr" else paths  # its files have one identifier
    files = [ScanFile.at(path, limit=2**26) for path in paths]
    built = build_results(series_result(dicom_slices(files)), ALGORITHM, codes=codes)
    assert errors_of(built[:2], tmp_path) == []


def test_dciodvfy_finds_no_error_whatever_the_patient_is_called(tmp_path: Path) -> None:
    found = {}
    for case, (terms, name) in KEPT.items():
        found[case] = errors_of(results_for({CHARACTER_SET: terms, NAME: name})[:2], tmp_path)
    for case, (terms, name, _) in REPAIRED.items():
        found[case] = errors_of(results_for({CHARACTER_SET: terms, NAME: name})[:2], tmp_path)
    for case, (tag, value, _, _) in OTHERS.items():
        found[case] = errors_of(results_for({tag: value})[:2], tmp_path)
    assert {case: lines for case, lines in found.items() if lines} == {}


def test_dciodvfy_would_find_an_error(tmp_path: Path) -> None:
    report = build_results(series_of(), ALGORITHM)[0]
    del report.VerificationFlag
    assert any("VerificationFlag" in line for line in errors_of([report], tmp_path))


def test_dsrdump_reads_the_report(tmp_path: Path) -> None:
    needs("dsrdump")
    path = write_results(series_of(), tmp_path, algorithm=ALGORITHM)[0]
    run = subprocess.run(
        ["dsrdump", "+Pl", "+Pc", str(path)], capture_output=True, text=True, check=True
    )
    # Its check of values knows no UTF-8, which the source is in.
    assert [line for line in run.stderr.splitlines() if "ISO_IR 192" not in line] == []
    assert '(121071,DCM,"Finding")=(C3230,NCIt,"Meningioma")' in run.stdout
    assert '(122157,DCM,"Probability")="0.900500" (1,UCUM,"no units")' in run.stdout
    assert f"manifest_sha256={ALGORITHM.manifest_sha256}" in run.stdout
    assert "Verification Flag   : UNVERIFIED" in run.stdout


def test_dcm2pnm_shows_the_pixels_of_a_capture(tmp_path: Path) -> None:
    needs("dcm2pnm")
    path = write_results(series_of(), tmp_path, algorithm=ALGORITHM)[1]
    subprocess.run(["dcm2pnm", str(path), str(tmp_path / "shown.ppm")], check=True)
    shown = np.asarray(Image.open(tmp_path / "shown.ppm"))
    assert np.array_equal(shown, pydicom.dcmread(path).pixel_array)


def test_orthanc_stores_each_object_once_and_gives_it_back_over_dicomweb(tmp_path: Path) -> None:
    """Its own network: Debian's Orthanc listens on every address."""
    needs("Orthanc", "storescu", "unshare", "ip", "sh")
    pytest.importorskip("dicomweb_client")
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    if not Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so").exists():
        pytest.skip("not installed: orthanc-dicomweb")
    datasets = mr_series(drawn_volume(slices=9, rows=32, columns=32))
    for name in ("sources", "results", "fetched"):
        (tmp_path / name).mkdir()
    for number, dataset in enumerate(datasets):
        dataset.save_as(tmp_path / "sources" / f"{number}.dcm", enforce_file_format=True)
    files = write_results(series_of(datasets), tmp_path / "results", algorithm=ALGORITHM)
    script = 'ip link set lo up && exec "$0" "$@"'
    folders = [str(tmp_path / name) for name in ("sources", "results", "fetched")]
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c", script, sys.executable, str(ROUND_TRIP), *folders],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert (found["instances"], found["instances_after_repeat"]) == (12, 12)
    assert (found["patients"], found["studies"]) == (1, 1)
    assert sorted(found["series"].values()) == [["MR", 9], ["OT", 2], ["SR", 1]]
    for path in files:
        sent = pydicom.dcmread(path)
        fetched = pydicom.dcmread(tmp_path / "fetched" / f"{sent.SOPInstanceUID}.dcm")
        assert fetched == sent
    assert errors_of([fetched], tmp_path) == []
