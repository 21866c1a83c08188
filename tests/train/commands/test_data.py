import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data import main
from train.data.layouts import load_samples
from train.data.samples import Sample
from train.splits.leaks import find_leaks
from train.splits.sample_rows import part_rows


@pytest.fixture
def leaky_folder(make_leaky: Callable[[Path], list[Sample]], tmp_path: Path) -> Path:
    make_leaky(tmp_path / "leaky")
    return tmp_path / "leaky"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_audit_prints_the_text_and_writes_the_files(leaky_folder: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        "audit", leaky_folder, "--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv"
    )
    assert code == 0
    assert "4 of 12 test images have a copy in train" in out
    assert RESEARCH_USE_ONLY in out
    assert json.loads((tmp_path / "a.json").read_text())["pictures"] == 46
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 7


def test_split_of_a_leaking_set_does_not_leak(leaky_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "manifest.csv"
    code, out, _ = run("split", leaky_folder, "--output", output, "--seed", 1)
    assert code == 0
    assert "6 images are copies, 2 have two labels" in out
    samples = load_samples(leaky_folder, manifest=output)
    assert len(samples) == 46
    assert {sample.split for sample in samples} == {"train", "val", "test"}
    assert not find_leaks(samples)
    again = tmp_path / "again.csv"
    assert run("split", leaky_folder, "--output", again, "--seed", 1)[0] == 0
    assert again.read_bytes() == output.read_bytes()


def test_split_keeps_the_split_of_a_manifest(phantom_folder: Path, tmp_path: Path) -> None:
    manifest = phantom_folder / "manifest.csv"
    output = tmp_path / "out.csv"
    assert run("split", phantom_folder, "--manifest", manifest, "--output", output)[0] == 0
    kept = load_samples(phantom_folder, manifest=output)
    given = load_samples(phantom_folder, manifest=manifest)
    assert [(s.split, s.group) for s in kept] == [(s.split, s.group) for s in given]


def test_split_can_keep_the_test_part_and_divide_the_rest_by_image(
    leaky_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "manifest.csv"
    keep = ("split", leaky_folder, "--keep-test", "--val", 0.2, "--seed", 42, "--output", output)
    code, _, err = run(*keep, "--by", "image")
    assert code == 0
    assert "warning: --by image does not keep copies and patients together" in err
    assert "4 of 12 test images share a patient, a group or a copy with an earlier part" in err
    samples = load_samples(leaky_folder, manifest=output)
    test = {s.name for s in samples if s.split == "test"}
    assert test == {s.name for s in samples if "/test/" in f"/{s.name}"}
    assert [len(part_rows(samples, p)) for p in ("train", "val", "test")] == [
        sum(s.split == p and not s.label_conflict for s in samples)
        for p in ("train", "val", "test")
    ]
    assert sum(s.split == "val" for s in samples) == 7  # a fifth of 34, rounded up
    assert find_leaks(samples)
    code, _, err = run(*keep)
    assert code == 0
    assert "--by image" not in err
    assert "4 of 12 test images" in err


def test_the_former_name_of_a_unit_is_taken_but_not_shown(
    leaky_folder: Path, tmp_path: Path
) -> None:
    manifests = []
    for name in ("image", "picture"):
        output = tmp_path / f"{name}.csv"
        assert run("split", leaky_folder, "--by", name, "--output", output)[0] == 0
        manifests.append(output.read_text())
    assert manifests[0] == manifests[1]
    assert "picture" not in run("split", "--help")[1]
    assert run("split", leaky_folder, "--by", "patient", "--output", output)[0] == 2


def test_a_share_for_a_test_part_that_is_kept_is_a_usage_error(
    leaky_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "manifest.csv"
    split = ("split", leaky_folder, "--keep-test", "--output", output)
    for share in (0, 0.2):
        code, _, err = run(*split, "--test", share)
        assert code == 2
        assert "leave out --test" in err
    assert not output.exists()


def test_show_prints_the_table_and_writes_the_images(phantom_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "shown"
    code, out, _ = run("show", phantom_folder, "--output", output, "--per-class", 2)
    assert code == 0
    lines = out.splitlines()
    assert lines[1].split() == ["train", "7", "7", "7", "7", "28"]
    assert [Path(line).name for line in lines[4:7]] == ["classes.png", "images.png", "means.png"]
    assert lines[7] == RESEARCH_USE_ONLY
    assert sorted(path.name for path in output.iterdir()) == [
        "classes.png",
        "images.png",
        "means.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in output.iterdir())


def test_phantoms_writes_a_set_that_loads(tmp_path: Path) -> None:
    code, out, _ = run("phantoms", tmp_path / "set", "--per-class", 3, "--size", 32)
    assert code == 0
    assert out.startswith("12 phantoms in ")
    assert len(load_samples(tmp_path / "set")) == 12


def test_errors_go_to_stderr_with_their_exit_code(leaky_folder: Path, tmp_path: Path) -> None:
    (leaky_folder / "train" / "cyst").mkdir()
    code, out, err = run("audit", leaky_folder)
    assert (code, out) == (26, "")
    assert "train/cyst: unknown class" in err
    assert run("audit", tmp_path / "none")[0] == 20
    code, _, err = run("audit", tmp_path / ("x" * 300))
    assert code == 20
    assert "cannot be read (File name too long)" in err
    assert run("phantoms", leaky_folder)[0] == 40
    assert run("audit", leaky_folder, "--dataset", "x")[0] == 2
    assert run("show", leaky_folder, "--output", tmp_path / "shown")[0] == 26
    assert run("split", leaky_folder, "--output", "m.csv", "--val", "0.6", "--test", "0.4")[0] == 2


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, train.commands.data; "
        "print(sorted({'torch', 'sklearn', 'pyarrow', 'matplotlib'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["audit", "split", "join", "show", "phantoms"])
def test_help_shows_its_example_on_a_line_of_its_own(command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"\n  Example:\n    brain-data {command} " in out
