"""brain-infer on studies: folders, archives, single slices and volumes, in text, JSON and CSV, with honest counts."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner, Result
from dicom_files import file_bytes, mosaic, mr_series, mr_slice, secondary_capture, write_files
from PIL import Image
from scan_slices import GLIOMA, HEALTHY, SPECK
from small_schema import faults
from tiny_bundle import GOLDEN, files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.cli import main
from edge_infer.contract import RESEARCH_USE_ONLY

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = {
    kind: json.loads((DOCS / f"{kind}.schema.json").read_text()) for kind in ("result", "series")
}
#: Stored values are grey levels.
AS_STORED = {"WindowCenter": "128", "WindowWidth": "256"}
ILL = [SPECK, HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA]
WELL = [HEALTHY] * 5


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return path


def series(greys: list[np.ndarray], name: str) -> list[Any]:
    return mr_series(np.stack(greys).astype(np.uint16), series=name, **AS_STORED)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    write_files(folder / "ill", series(ILL, "ill"))
    write_files(folder / "well", series(WELL, "well"))
    return folder


def run(bundle: Path, *arguments: object) -> Result:
    words = ["--bundle", bundle, "--threads", 1, *arguments]
    return CliRunner().invoke(main, [str(word) for word in words])


def lines_of(result: Result) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines of slices and images, and those of series; all follow their schemas."""
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    for line in lines:
        schema = SCHEMAS["series" if line.get("kind") == "series" else "result"]
        assert faults(line, schema, schema) == []
    return (
        [line for line in lines if "kind" not in line],
        [line for line in lines if "kind" in line],
    )


def test_a_study_is_answered_series_by_series(bundle: Path, study: Path) -> None:
    result = run(bundle, study)
    assert result.exit_code == 0
    first, second, end = result.stdout.split("\n\nseries ")[0], result.stdout, result.stdout
    assert first.startswith("series 1: axial, taken for t1")
    assert "tumour evidence: glioma; score 1.000, slices 4 to 6" in first
    assert "series 2: axial" in second
    assert "no tumour evidence; score" in second
    assert end.endswith(f"\n\n{RESEARCH_USE_ONLY}\n")
    assert end.count(RESEARCH_USE_ONLY) == 1
    assert result.stderr == (
        "10 of 10 classified, 0 failed: 10 accepted, 0 abstained; 1 end slice not asked; "
        "2 series: 1 no tumour evidence, 1 tumour evidence\n"
    )


def test_json_has_a_line_for_each_slice_and_each_series(bundle: Path, study: Path) -> None:
    result = run(bundle, "--json", study)
    slices, found = lines_of(result)
    assert [line["status"] for line in slices].count("ok") == 10
    assert [line["status"] for line in slices].count("skipped") == 1
    assert [line["finding"] for line in found] == ["tumour_evidence", "no_tumour_evidence"]
    for line in slices:
        assert line["scan"]["study_instance_uid"] == found[0]["study_instance_uid"]
        assert line["scan"]["sop_instance_uid"]
    order = [line["scan"]["position_mm"] for line in slices if line["scan"]["series"] == 1]
    assert order == sorted(order)
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["kind"] == "series"


def test_a_table_has_a_row_for_each_slice_and_findings_go_to_stderr(
    bundle: Path, study: Path
) -> None:
    result = run(bundle, "--csv", study)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 11
    assert {row["plane"] for row in rows} == {"axial"}
    assert len({row["sop_instance_uid"] for row in rows}) == 11
    assert len({row["series_instance_uid"] for row in rows}) == 2
    assert "tumour evidence: glioma" in result.stderr


def test_folder_archive_files_and_volume_give_the_same_answers(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    folder = study / "ill"
    with zipfile.ZipFile(tmp_path / "ill.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"{path.name}")
    volume = np.stack(ILL).transpose(2, 1, 0).astype(np.uint8)
    # Slices of 8 bits are stretched like any others.
    nib.save(nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 4.0, 1.0])), tmp_path / "ill.nii.gz")
    answers = []
    for given in (
        [folder],
        [tmp_path / "ill.zip"],
        sorted(folder.iterdir()),
        [tmp_path / "ill.nii.gz"],
    ):
        slices, found = lines_of(run(bundle, "--json", *given))
        assert [line["finding"] for line in found] == ["tumour_evidence"]
        assert found[0]["label"] == "glioma"
        answers.append([line.get("probabilities") for line in slices])
    assert answers[0] == answers[1] == answers[2]
    for one, other in zip(answers[0], answers[3], strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one == pytest.approx(other, abs=0.05)


def test_a_slice_alone_is_answered_and_its_series_abstains(bundle: Path, study: Path) -> None:
    path = study / "ill" / "slice004.dcm"
    result = run(bundle, path)
    assert result.exit_code == 0
    assert "abstains (too_few_slices)" in result.stdout
    assert f"{path}: glioma (" in result.stdout
    strict = run(bundle, "--fail-on-abstain", path)
    assert strict.exit_code == 0  # the slice is accepted; a series it cannot be


def test_images_beside_scans_are_answered_as_before(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    image = study / "golden.png"
    Image.fromarray(GOLDEN[0]).save(image)
    alone = json.loads(run(bundle, "--json", image).stdout)
    slices, found = lines_of(run(bundle, "--json", study))
    beside = slices[0]
    assert "scan" not in beside
    for field in ("source", "label", "probabilities", "source_sha256", "decision"):
        assert beside[field] == alone[field]
    assert len(found) == 2
    plain = run(bundle, tmp_path / "study")
    assert "11 of 11 classified" in plain.stderr


def test_what_is_refused_is_said_counted_and_no_failure_beside_answers(
    bundle: Path, study: Path
) -> None:
    for number in range(9):
        (study / f"mosaic{number}").write_bytes(file_bytes(mosaic()))
    (study / "capture").write_bytes(file_bytes(secondary_capture()))
    result = run(bundle, "--json", study)
    assert result.exit_code == 0
    assert result.stderr.count("refused: ") == 2
    assert "and 8 more of this kind" in result.stderr
    assert "10 files refused" in result.stderr
    slices, _ = lines_of(result)
    refused = [line for line in slices if line["status"] == "error"]
    assert len(refused) == 10
    assert {line["error"]["code"] for line in refused} == {"scan_refused"}
    only = run(bundle, "--json", *study.glob("mosaic*"))
    assert only.exit_code == 100  # nothing has an answer


def test_damaged_files_are_failures_beside_answers(bundle: Path, study: Path) -> None:
    whole = (study / "ill" / "slice003.dcm").read_bytes()
    (study / "ill" / "slice003.dcm").write_bytes(whole[:-200])  # its header is whole
    (study / "well" / "slice001.dcm").write_bytes(whole[:200])
    result = run(bundle, "--json", study)
    assert result.exit_code == 100
    assert "8 of 10 classified, 2 failed" in result.stderr
    _, found = lines_of(result)
    assert found[0]["slices"]["failed"] + found[1]["slices"]["failed"] >= 1


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("mosaic", file_bytes(mosaic()), 25),
        ("cut", file_bytes(mr_slice(GOLDEN[0].astype(np.uint16)))[:-200], 22),
        ("start", file_bytes(mr_slice(GOLDEN[0].astype(np.uint16)))[:140], 22),
        ("ct.dcm", file_bytes(mr_slice(GOLDEN[0].astype(np.uint16), Modality="CT")), 25),
        ("a.zip", b"PK\x03\x04 cut short", 22),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=["text", "json", "csv"])
def test_one_bad_scan_ends_with_its_own_status(
    bundle: Path, tmp_path: Path, name: str, content: bytes, status: int, form: list[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    result = run(bundle, *form, path)
    assert result.exit_code == status, result.stderr
    assert f"error: {path}" in result.stderr or f"refused: {path}" in result.stderr
    assert "Traceback" not in result.stderr
    if form == ["--json"]:
        line = json.loads(result.stdout.splitlines()[0])
        assert line["error"]["exit_code"] == status


def test_a_refusal_can_be_overruled_and_is_then_a_warning(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "ct.dcm"
    path.write_bytes(
        file_bytes(mr_slice(GOLDEN[0].astype(np.uint16), BodyPartExamined="KNEE", **AS_STORED))
    )
    assert run(bundle, path).exit_code == 25
    result = run(bundle, "--json", "--despite", "other_body_part", path)
    assert result.exit_code == 0
    slices, found = lines_of(result)
    assert slices[0]["scan"]["warnings"]
    assert found[0]["warnings"]
    assert run(bundle, "--despite", "mosaic", path).exit_code == 2


def test_series_count_where_abstaining_fails(bundle: Path, study: Path, tmp_path: Path) -> None:
    assert run(bundle, "--fail-on-abstain", study).exit_code == 0
    twice = tmp_path / "twice"
    write_files(twice, series([GLIOMA, GLIOMA], "two")[:2])
    assert run(bundle, twice).exit_code == 0
    assert run(bundle, "--fail-on-abstain", twice).exit_code == 101


def test_the_scope_check_works_on_slices(bundle: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (32, 32))
    write_files(tmp_path / "noise", series([noise] * 5, "noise"))
    _, enforced = lines_of(run(bundle, "--json", tmp_path / "noise"))
    assert (enforced[0]["finding"], enforced[0]["reasons"][0]) == ("abstain", "out_of_scope")
    slices, reported = lines_of(run(bundle, "--json", "--scope", "report", tmp_path / "noise"))
    assert all(line["decision"] == "accept" for line in slices)
    assert "out_of_scope" not in reported[0]["reasons"]


def test_contact_sheets_are_drawn_for_one_and_for_many(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    target = tmp_path / "sheet.png"
    assert run(bundle, "--heatmap", target, study / "ill").exit_code == 0
    with Image.open(target) as image:
        assert image.width > 600
    both = run(bundle, "--heatmap", tmp_path / "other.png", study)
    assert (both.exit_code, both.stdout) == (40, "")
    Image.fromarray(GOLDEN[0]).save(study / "golden.png")
    sheets = tmp_path / "sheets"
    assert run(bundle, "--heatmap", sheets, study).exit_code == 0
    golden, first, second = sorted(path.name for path in sheets.iterdir())
    assert golden == "golden.heatmap.png"
    assert first.startswith("series-001-")
    assert second.startswith("series-002-")
    (sheets / first).unlink()
    (sheets / first).mkdir()
    failed = run(bundle, "--heatmap", sheets, study)
    assert failed.exit_code == 100
    assert "11 of 11 classified, 0 failed, 1 without their heatmap" in failed.stderr


def test_the_report_and_captures_are_written_for_each_series(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(bundle, "--dicom-out", out, study)
    assert result.exit_code == 0, result.stderr
    kinds = [path.name.partition(".")[0] for path in out.iterdir()]
    assert kinds.count("SR") == 2
    again = {path.name for path in out.iterdir()}
    assert run(bundle, "--dicom-out", out, study).exit_code == 0
    assert {path.name for path in out.iterdir()} == again


def test_dicom_results_are_refused_for_what_is_no_dicom(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    volume = np.stack(WELL).transpose(2, 1, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 4.0, 1.0])), tmp_path / "v.nii")
    result = run(bundle, "--dicom-out", tmp_path / "out", tmp_path / "v.nii")
    assert (result.exit_code, result.stdout) == (23, "")
    assert "names no patient and no study" in result.stderr
    assert not (tmp_path / "out").exists()
    image = tmp_path / "golden.png"
    Image.fromarray(GOLDEN[0]).save(image)
    assert run(bundle, "--dicom-out", tmp_path / "out", image).exit_code == 2
    (tmp_path / "file").write_text("in the way")
    blocked = run(bundle, "--dicom-out", tmp_path / "file" / "out", study / "ill" / "slice004.dcm")
    assert blocked.exit_code == 40
    batch = run(bundle, "--dicom-out", tmp_path / "file" / "out", study)
    assert batch.exit_code == 100
    assert "2 series without their DICOM results" in batch.stderr


def test_sheets_of_two_studies_lie_side_by_side(bundle: Path, study: Path, tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    assert run(bundle, "--heatmap", sheets, study / "ill").exit_code == 0
    (first,) = sheets.iterdir()
    before = first.read_bytes()
    assert run(bundle, "--heatmap", sheets, study / "well").exit_code == 0
    assert len(list(sheets.iterdir())) == 2
    assert first.read_bytes() == before


def test_what_cannot_be_written_as_dicom_stops_nothing_else(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    volume = np.stack(WELL).transpose(2, 1, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 4.0, 1.0])), study / "v.nii")
    nameless = mr_slice(GLIOMA.astype(np.uint16), StudyInstanceUID=None, **AS_STORED)
    (study / "nameless.dcm").write_bytes(file_bytes(nameless))
    result = run(bundle, "--json", "--dicom-out", tmp_path / "out", study)
    assert result.exit_code == 100
    _, found = lines_of(result)
    assert len(found) == 4
    kinds = [path.name.partition(".")[0] for path in (tmp_path / "out").iterdir()]
    assert kinds.count("SR") == 2
    assert "2 series without their DICOM results" in result.stderr
    assert result.stderr.count("names no patient and no study") == 2
    alone = run(bundle, "--dicom-out", tmp_path / "out", study / "nameless.dcm")
    assert (alone.exit_code, alone.stdout) == (23, "")


def test_an_archive_is_answered_to_its_end_although_a_series_cannot_be_written(
    bundle: Path, study: Path, tmp_path: Path
) -> None:
    nameless = mr_slice(GLIOMA.astype(np.uint16), StudyInstanceUID=None, **AS_STORED)
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("a.dcm", file_bytes(nameless))
        for path in sorted((study / "ill").iterdir()):
            archive.write(path, path.name)
    result = run(bundle, "--json", "--dicom-out", tmp_path / "out", tmp_path / "s.zip")
    assert result.exit_code == 100
    assert len(lines_of(result)[1]) == 2
    assert len(list((tmp_path / "out").glob("SR.*"))) == 1


def test_two_patients_under_one_series_are_said_everywhere_and_named_nowhere(
    bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    one, other = series(ILL, "ill"), series(WELL, "ill")
    for number, dataset in enumerate(other):
        dataset.PatientID, dataset.PatientName = "OTHERID", "OTHER^NAME"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number + 1}"
    write_files(folder / "a", one)
    write_files(folder / "b", other)
    slices, found = lines_of(run(bundle, "--json", folder))
    assert [line["slices"]["total"] for line in found] == [len(ILL), len(WELL)]
    assert all(line["reasons"][0] == "several_patients" for line in found)
    text = run(bundle, "--heatmap", tmp_path / "sheets", folder)
    assert text.stdout.count("abstains (several_patients") == 2
    assert len(list((tmp_path / "sheets").iterdir())) == 2
    table = run(bundle, "--csv", folder)
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert {row["series_finding"] for row in rows} == {"abstain"}
    assert all("several_patients" in row["series_reasons"] for row in rows)
    assert {row["series"] for row in rows} == {"1", "2"}
    refused = run(bundle, "--dicom-out", tmp_path / "out", folder)
    assert refused.exit_code == 100
    assert refused.stderr.count("name several patients") == 2
    assert not (tmp_path / "out").exists()
    shown = "".join(one.output for one in (text, table, refused)) + json.dumps([slices, found])
    assert "OTHERID" not in shown
    assert "OTHER^NAME" not in shown


def test_text_fits_a_terminal_of_80_columns(bundle: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(1).integers(0, 256, (32, 32))
    write_files(tmp_path / "s", series([*ILL, noise], "s"))
    for given in ("s", "s/slice004.dcm"):
        lines = run(bundle, given).stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert any(line.startswith("  rule: ") for line in lines)


@pytest.mark.parametrize("name", ["slice.dcm", "v.nii", "s.zip"])
def test_a_scan_on_standard_input_is_told_how_it_is_read(
    bundle: Path, study: Path, tmp_path: Path, name: str
) -> None:
    volume = np.stack(WELL).transpose(2, 1, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 4.0, 1.0])), tmp_path / "v.nii")
    (tmp_path / "slice.dcm").write_bytes((study / "ill" / "slice004.dcm").read_bytes())
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.write(tmp_path / "slice.dcm")
    words = ["--bundle", str(bundle), "-"]
    result = CliRunner().invoke(main, words, input=(tmp_path / name).read_bytes())
    assert result.exit_code == 23
    assert "by name to brain-infer, or use open_study" in result.stderr
    assert "pip install" not in result.stderr  # the extras are installed
    assert run(bundle, tmp_path / name).exit_code == 0


@pytest.mark.parametrize("missing", ["pydicom", "nibabel"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    bundle: Path, study: Path, tmp_path: Path, missing: str
) -> None:
    volume = np.stack(WELL).transpose(2, 1, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 4.0, 1.0])), tmp_path / "v.nii")
    image = study / "golden.png"
    Image.fromarray(GOLDEN[0]).save(image)
    scans = study if missing == "pydicom" else tmp_path / "v.nii"
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from edge_infer.cli import main\n"
        "main(sys.argv[1:])"
    )

    def without(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", program, "--bundle", bundle, *arguments]
        return subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, timeout=60, check=False
        )

    extra = "dicom" if missing == "pydicom" else "nifti"
    alone = without(study / "ill" if missing == "pydicom" else scans)
    assert (alone.returncode, alone.stderr.count("error: ")) == (87, 1)
    assert f"brain-edge[{extra}]" in alone.stderr
    beside = without("--json", image, scans)
    assert beside.returncode == 100
    assert json.loads(beside.stdout.splitlines()[0])["status"] == "ok"
    plain = without("--json", image)
    assert plain.returncode == 0


def test_images_do_not_load_what_is_for_scans(bundle: Path, tmp_path: Path) -> None:
    image = tmp_path / "golden.png"
    Image.fromarray(GOLDEN[0]).save(image)
    program = (
        "import sys\nfrom edge_infer.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "rooms = ('pydicom', 'nibabel', 'highdicom', 'edge_infer.series.study', 'edge_infer.structured')\n"
        "print([name for name in rooms if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "--bundle", str(bundle), str(image)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert finished.stderr.splitlines()[-1] == "[]"


def test_a_scan_that_is_named_is_read_whatever_it_is_called(bundle: Path, study: Path) -> None:
    path = (study / "ill" / "slice004.dcm").rename(study / "slice.png")
    result = run(bundle, "--json", path)
    assert result.exit_code == 0
    slices, found = lines_of(result)
    assert slices[0]["label"] == "glioma"
    assert len(found) == 1


@pytest.mark.real_scans
def test_healthy_heads_hold_no_evidence_of_a_tumour(real_scans: Path) -> None:
    folder = real_scans / "dicom"
    if not folder.is_dir():
        pytest.skip("no DICOM series")
    result = CliRunner().invoke(main, ["--json", "--threads", "1", str(folder)])
    assert result.exit_code == 0
    slices, found = lines_of(result)
    assert len(found) == 3
    assert "tumour_evidence" not in {line["finding"] for line in found}
    by_name = {line["source"].rpartition("/")[2]: line for line in found}
    philips, seven = by_name["philips_classic"], by_name["t1_7t_series"]
    assert (philips["plane"], philips["sequence"]["name"]) == ("sagittal", "t1")
    assert (philips["slices"]["total"], philips["slices"]["end_slices"]) == (14, 3)
    assert (seven["plane"], seven["slices"]["end_slices"]) == ("axial", 1)
    called = [line for line in slices if line.get("label", "no_tumor") != "no_tumor"]
    assert called == []
    assert len([line for line in slices if line["status"] == "error"]) == 9  # mosaics
