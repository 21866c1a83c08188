"""brain-drift from results on disk to its exit status."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_rows import METADATA, batch_row, written
from click.testing import CliRunner
from drift_results import batch_results, drift_bundle, infer_lines
from drifting import drawn_answers

from edge_infer.bundle import Bundle
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.drift.observing import Answer
from edge_infer.drift_cli import main


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def changed(answers: list[Answer], change: Callable[[Answer], dict[str, Any]]) -> list[Answer]:
    return [
        Answer(**{name: getattr(one, name) for name in Answer.__slots__} | change(one))
        for one in answers
    ]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return drift_bundle(tmp_path_factory.mktemp("drift") / "bundle")


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("drift") / "same"
    return batch_results(folder, drawn_answers(250, 1), bundle, failed=3)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    bright = changed(
        list(drawn_answers(250, 2)),
        lambda one: {"facts": [(one.facts or ())[0] + 20, *(one.facts or ())[1:]]},
    )
    return batch_results(tmp_path_factory.mktemp("drift") / "other", bright, bundle)


def test_no_sign_of_drift_ends_with_0(bundle: Bundle, same: Path) -> None:
    code, out, err = run(same, "--bundle", bundle.path)
    assert code == 0, err
    assert out.startswith("✓ No sign of drift beyond the limits\n")
    assert "250 images of 1 input; 3 without an answer" in out
    assert "together at most 5 % false alarms if the images are independent" in out
    assert "patients or series, each image of an unknown one counted as one" in out
    assert out.endswith(f"{RESEARCH_USE_ONLY}\n")


def test_drift_ends_with_86_and_is_named(bundle: Bundle, other: Path) -> None:
    code, out, err = run(other, "--bundle", bundle.path)
    assert code == 86
    assert out.startswith("✗ Results have drifted beyond the limits: mean\n")
    assert "mean grey value: median" in out
    assert "drift beyond the limits: mean" in err


def test_limits_decide(bundle: Bundle, other: Path, tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text("ks = 0.9\n")
    options = ["--limits", tmp_path / "limits.toml", "--limit", "psi=off"]
    assert run(other, "--bundle", bundle.path, *options)[0] == 0
    assert run(other, "--bundle", bundle.path, *options, "--limit", "ks=0.1")[0] == 86
    code, _, err = run(other, "--bundle", bundle.path, "--limit", "ks")
    assert code == 2
    assert "expected NAME=VALUE" in err


def test_too_few_images_end_with_101(bundle: Bundle, tmp_path: Path) -> None:
    few = batch_results(tmp_path / "few", drawn_answers(199, 1), bundle)
    code, out, err = run(few, "--bundle", bundle.path)
    assert code == 101
    assert out.startswith("? Too few images to say\n")
    assert "199, expected at least 200" in err


def test_many_images_without_anything_to_test_are_refused_with_the_reason(
    bundle: Bundle, tmp_path: Path
) -> None:
    lines = infer_lines(
        tmp_path / "a.jsonl", drawn_answers(300, 4), bundle.manifest["manifest_sha256"]
    )
    off = [f"--limit={name}=off" for name in ("ks", "psi", "share")]
    code, out, err = run(lines, "--bundle", bundle.path, *off)
    assert (code, out) == (26, "")
    assert "300 images, and nothing to test: embeddings: fewer than 200" in err


def test_json_says_all_of_it(bundle: Bundle, other: Path) -> None:
    code, out, _ = run(other, "--bundle", bundle.path, "--json", "--by", "label")
    result = json.loads(out)
    assert code == 86
    assert result["schema_version"] == 1
    assert result["verdict"] == "drift"
    assert result["research_use_only"] == RESEARCH_USE_ONLY
    assert result["window"] == {
        "files": 1, "kind": "brain-batch", "n": 250, "answered": 250, "of_series": 0, "failed": 0,
    }  # fmt: skip
    assert result["reference"]["kind"] == "bundle"
    assert (result["reference"]["n"], result["reference"]["source"]) == (600, "drawn answers")
    assert len(result["groups"]) == 5


def test_lines_of_brain_infer_are_read_and_what_they_lack_is_named(
    bundle: Bundle, tmp_path: Path
) -> None:
    digest = bundle.manifest["manifest_sha256"]
    lines = infer_lines(tmp_path / "july.jsonl", drawn_answers(300, 4), digest, failed=2)
    code, out, err = run(lines, "--bundle", bundle.path)
    assert code == 0, err
    assert "300 images of 1 input; 2 without an answer" in out
    assert "not tested: mean, sd, median" in out
    assert "not tested: embeddings" in out
    unsure = changed(list(drawn_answers(300, 4)), lambda _: {"probabilities": [0.4, 0.3, 0.2, 0.1]})
    code, out, _ = run(
        infer_lines(tmp_path / "august.jsonl", unsure, digest), "--bundle", bundle.path
    )
    assert code == 86
    assert "doubt" in out


def test_older_results_stand_in_for_the_baseline(
    bundle: Bundle, same: Path, other: Path, tmp_path: Path
) -> None:
    again = batch_results(tmp_path / "again", drawn_answers(400, 9), bundle)
    code, out, err = run(again, "--against", same, "--json")
    assert code == 0, err
    assert json.loads(out)["reference"]["source"] == "the results of --against"
    assert run(other, "--against", same)[0] == 86
    few = batch_results(tmp_path / "few", drawn_answers(99, 1), bundle)
    code, _, err = run(same, "--against", few)
    assert code == 26
    assert "99 images" in err
    assert run(same, "--against", same, "--bundle", bundle.path)[0] == 2


def test_planes_of_older_results_are_compared_with_their_own(
    bundle: Bundle, tmp_path: Path
) -> None:
    old, new = (
        batch_results(tmp_path / name, drawn_answers(450, seed), bundle)
        for name, seed in (("old", 1), ("new", 2))
    )
    code, out, err = run(new, "--against", old, "--by", "plane", "--json")
    assert code == 0, err
    assert [group["against"] for group in json.loads(out)["groups"]] == [
        "all images", "plane axial", "plane coronal",
    ]  # fmt: skip


def test_parquet_is_read_as_json_lines_are(bundle: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    results = [
        json.loads(run(folder, "--bundle", bundle.path, "--json")[1])
        for name in ("parquet", "jsonl")
        for folder in [
            batch_results(tmp_path / name, drawn_answers(220, 3), bundle, formats=(name,))
        ]
    ]
    assert results[0] == results[1]


def test_of_a_series_one_slice_counts(bundle: Bundle, tmp_path: Path) -> None:
    slices = changed(list(drawn_answers(600, 5)), lambda one: {"series": f"1.{int(one.key) // 3}"})
    folder = batch_results(tmp_path / "series", slices, bundle)
    code, out, err = run(folder, "--bundle", bundle.path)
    assert code == 0, err
    assert "200 images of 1 input, of 600 answered: one of each series" in out


def test_of_a_volume_without_a_uid_one_slice_counts_and_outputs_are_kept_apart(
    bundle: Bundle, tmp_path: Path
) -> None:
    metadata = replace(METADATA, manifest_sha256=bundle.manifest["manifest_sha256"])
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        rows = [
            batch_row(unit, row=number, kind="slice", series=1 + number // 3)
            for unit in range(4)
            for number in range(6)
        ]
        written(folder, 0, rows, metadata=metadata, formats=("jsonl",))
    parts = [folder / "parts" for folder in folders]
    code, out, err = run(*parts, "--bundle", bundle.path)
    assert code == 101, err
    assert "16 images of 2 inputs, of 48 answered: one of each series" in out


def test_results_of_another_bundle_are_refused(bundle: Bundle, same: Path, tmp_path: Path) -> None:
    other = drift_bundle(tmp_path / "other", intended_use="Other tests.")
    code, _, err = run(same, "--bundle", other.path)
    assert code == 26
    assert "--against" in err
    assert "given a baseline has another digest" in err
    with_its_own = batch_results(tmp_path / "own", drawn_answers(250, 1), other)
    assert run(with_its_own, "--against", same)[0] == 26
    digest = other.manifest["manifest_sha256"]
    two = infer_lines(tmp_path / "two.jsonl", drawn_answers(5, 1), digest)
    one = infer_lines(tmp_path / "one.jsonl", drawn_answers(5, 1), "ab" * 32)
    code, _, err = run(one, two, "--bundle", bundle.path)
    assert code == 26
    assert "another bundle than the lines before" in err


def test_a_bundle_without_a_baseline_is_refused_with_what_to_do(tmp_path: Path, same: Path) -> None:
    plain = drift_bundle(tmp_path / "plain", drift=None)
    code, _, err = run(same, "--bundle", plain.path)
    assert code == 32
    assert "--against" in err


@pytest.mark.parametrize(
    "text",
    ['{"status": "ok"}\n', "no json\n", '{"status": "ok"', '["x"]\n', '{"a": NaN}\n', "\xff\n"],
)
def test_other_files_are_refused_by_line(bundle: Bundle, tmp_path: Path, text: str) -> None:
    (tmp_path / "results.jsonl").write_text(text, encoding="latin-1")
    code, _, err = run(tmp_path / "results.jsonl", "--bundle", bundle.path)
    assert code == 26
    assert "results.jsonl: line 1" in err


def test_results_of_both_commands_are_not_mixed(bundle: Bundle, same: Path, tmp_path: Path) -> None:
    lines = infer_lines(
        tmp_path / "a.jsonl", drawn_answers(5, 1), bundle.manifest["manifest_sha256"]
    )
    code, _, err = run(same, lines, "--bundle", bundle.path)
    assert code == 26
    assert "some of brain-infer" in err
    assert run(tmp_path / "absent", "--bundle", bundle.path)[0] == 2


def test_the_report_is_written_and_a_missing_folder_is_said_first(
    bundle: Bundle, other: Path, tmp_path: Path
) -> None:
    page = tmp_path / "drift.html"
    assert run(other, "--bundle", bundle.path, "--report", page)[0] == 86
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    code, _, err = run(other, "--bundle", bundle.path, "--report", tmp_path / "no" / "drift.html")
    assert code == 40
    assert "its folder is not there" in err


def volume_lines(file: Path, names: list[str], digest: str, *, slices: int) -> Path:
    """Lines of brain-infer of volumes without a UID, each asked in a run of its own."""
    infer_lines(file, drawn_answers(slices * len(names), 4), digest)
    written_lines = [json.loads(line) for line in file.read_text().splitlines()]
    answered = [line for line in written_lines if line.get("status") == "ok"]
    for number, line in enumerate(answered):
        name = names[number // slices]
        line["source"] = f"{name}#{1 + number % slices}"
        line["source_sha256"] = f"{number // slices:064x}"
        line["scan"] |= {"series": 1, "series_instance_uid": "", "sop_instance_uid": ""}
        line["scan"]["frame_number"] = None
    file.write_text("".join(json.dumps(line) + "\n" for line in answered))
    return file


def test_of_a_volume_that_brain_infer_answered_one_slice_counts(
    bundle: Bundle, tmp_path: Path
) -> None:
    """250 slices of one NIfTI file are not 250 images."""
    digest = bundle.manifest["manifest_sha256"]
    one = volume_lines(tmp_path / "a.jsonl", ["head.nii.gz"], digest, slices=250)
    code, out, _ = run(one, "--bundle", bundle.path, "--json")
    window = json.loads(out)["window"]
    assert (code, window["n"], window["of_series"], window["answered"]) == (101, 1, 1, 250)
    three = volume_lines(tmp_path / "b.jsonl", ["<stdin>", "<stdin>", "b.nii"], digest, slices=20)
    code, out, _ = run(one, three, "--bundle", bundle.path, "--json")
    window = json.loads(out)["window"]
    assert (code, window["n"], window["answered"]) == (101, 4, 310)


def test_older_results_without_series_are_warned_of(
    bundle: Bundle, same: Path, tmp_path: Path
) -> None:
    slices = changed(list(drawn_answers(600, 5)), lambda one: {"series": f"1.{int(one.key) // 3}"})
    new = batch_results(tmp_path / "new", slices, bundle)
    _, out, _ = run(new, "--against", same, "--json")
    result = json.loads(out)
    assert (result["reference"]["n"], result["reference"]["of_series"]) == (250, 0)
    assert any("of 250 of the 250 older images" in line for line in result["warnings"])
    assert any("drawn of the new results only" in line for line in result["warnings"])
    _, out, _ = run(new, "--bundle", bundle.path, "--json")
    assert json.loads(out)["reference"]["of_series"] is None


def test_a_file_without_a_line_is_of_the_command_that_the_others_are_of(
    bundle: Bundle, tmp_path: Path
) -> None:
    lines = infer_lines(
        tmp_path / "a.jsonl", drawn_answers(300, 4), bundle.manifest["manifest_sha256"]
    )
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    code, out, err = run(lines, empty, "--bundle", bundle.path)
    assert code == 0, err
    assert "300 images of 2 inputs" in out
    code, out, err = run(empty, "--bundle", bundle.path, "--json")
    assert code == 101
    assert json.loads(out)["reference"]["manifest_sha256"] == bundle.manifest["manifest_sha256"]
    code, _, err = run(lines, "--against", empty)
    assert code == 26
    assert "--against holds 0 images" in err


def test_an_empty_file_of_brain_batch_is_told_by_what_lies_beside_it(
    bundle: Bundle, same: Path, tmp_path: Path
) -> None:
    parts = batch_results(tmp_path / "none", (), bundle)
    (rows,) = parts.glob("*.jsonl")
    assert rows.stat().st_size == 0
    code, out, err = run(same, rows, "--bundle", bundle.path)
    assert code == 0, err
    assert "250 images of 2 inputs" in out


@pytest.mark.parametrize("again", [".", "part-000000.jsonl"])
def test_results_that_are_given_twice_are_refused(bundle: Bundle, same: Path, again: str) -> None:
    code, _, err = run(same, same / again, "--bundle", bundle.path)
    assert code == 26
    assert "is given twice" in err


@pytest.mark.parametrize(
    "line", [{}, {"kind": "image", "sequence": 4}, {"status": "done"}, {"status": ["ok"]}]
)
def test_lines_of_something_else_are_refused_and_not_counted_as_no_image(
    bundle: Bundle, tmp_path: Path, line: dict[str, Any]
) -> None:
    (tmp_path / "audit.jsonl").write_text(json.dumps(line) + "\n")
    code, _, err = run(tmp_path / "audit.jsonl", "--bundle", bundle.path)
    assert code == 26
    assert "audit.jsonl: line 1 is no line of brain-infer --json" in err


def test_a_digest_that_is_none_is_refused_and_shown_nowhere(bundle: Bundle, tmp_path: Path) -> None:
    lines = infer_lines(tmp_path / "a.jsonl", drawn_answers(5, 1), "\x1b[31m" * 12)
    code, _, err = run(lines, "--bundle", bundle.path)
    assert code == 26
    assert "is no line of brain-infer" in err
    assert "\x1b" not in err


def test_every_test_off_is_said_so(bundle: Bundle, same: Path) -> None:
    off = [f"--limit={name}=off" for name in ("ks", "psi", "share", "two_sample")]
    code, _, err = run(same, "--bundle", bundle.path, *off)
    assert code == 26
    assert "nothing to test: every test is off" in err


@pytest.mark.parametrize("older", [".", "part-000000.jsonl"])
def test_results_are_not_compared_with_themselves(same: Path, older: str) -> None:
    code, out, err = run(same, "--against", same / older)
    assert (code, out) == (26, "")
    assert "part-000000.jsonl is among RESULTS and among those of --against" in err


def test_both_formats_of_a_part_and_lines_of_brain_infer_are_the_same_results(
    bundle: Bundle, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    both = batch_results(
        tmp_path / "both", drawn_answers(5, 3), bundle, formats=("parquet", "jsonl")
    )
    code, _, err = run(both / "part-000000.jsonl", "--against", both / "part-000000.parquet")
    assert code == 26
    assert "among RESULTS" in err
    lines = infer_lines(
        tmp_path / "a.jsonl", drawn_answers(5, 1), bundle.manifest["manifest_sha256"]
    )
    (tmp_path / "b.jsonl").symlink_to(lines)
    code, _, err = run(lines, "--against", tmp_path / "b.jsonl")
    assert code == 26
    assert "among RESULTS" in err


def test_by_is_taken_once(bundle: Bundle, same: Path) -> None:
    code, out, err = run(same, "--bundle", bundle.path, "--by", "label", "--by", "plane")
    assert (code, out) == (2, "")
    assert "given 2 times" in err


def test_without_pyarrow_parquet_is_refused_with_what_helps_a_reader(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    folder = batch_results(tmp_path / "a", drawn_answers(5, 1), bundle, formats=("parquet",))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    code, _, err = run(folder, "--bundle", bundle.path)
    assert code == 87
    assert "brain-edge[scale]" in err
    assert "--format" not in err
