"""brain-export --triton: both models beside the bundle, and a wrong folder is told before the work begins."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from export.cli import main


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(checkpoint: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(
        main, ["--model", "cvt_test", "--checkpoint", str(checkpoint), *arguments]
    )
    return result.exit_code, result.stdout, result.stderr


def test_two_models_are_written_beside_the_bundle(checkpoint_folder: Path, tmp_path: Path) -> None:
    code, out, err = run(checkpoint_folder, "--triton", "repository")
    assert code == 0, err
    assert re.findall(r"^Triton: (\S+) \(max_batch_size (\d)\)$", out, re.MULTILINE) == [
        (str(Path("repository") / "cvt_test-fp32"), "8"),
        (str(Path("repository") / "cvt_test-fp32-image"), "0"),
    ]
    for name in ("cvt_test-fp32", "cvt_test-fp32-image"):
        assert (tmp_path / "repository" / name / "1" / "model.onnx").is_file()


def test_a_folder_of_something_else_is_told_before_the_work(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "repository" / "cvt_test-fp32-image" / "3").mkdir(parents=True)
    code, out, err = run(checkpoint_folder, "--triton", "repository")
    assert (code, out) == (40, "")
    assert "this model of a Triton repository" in err
    assert not (tmp_path / "bundles").exists()
