"""The folder contract of mercure, MONAI and Kaapana modules: one study in, results out."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom_files import drawn_volume, mosaic, mr_series, uid_of, write_files

from edge_infer.classifier import Classifier
from edge_infer.errors import DataRefused, NoInputs
from edge_infer.node.answering import Answer
from edge_infer.node.task import folder_of, run_task
from edge_infer.node.task_settings import read_task_settings

ROOT = Path(__file__).parents[3]
INFO = {"patient_name": "CANARY^NAME", "mrn": "CANARY", "acc": "CANARY"}


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    volume = drawn_volume(slices=5, rows=96, columns=96)
    for number, image in enumerate(mr_series(volume, study="task")):
        image.save_as(folder / f"{uid_of('series')}#{number}.dcm", enforce_file_format=True)
        (folder / f"{uid_of('series')}#{number}.tags").write_text('{"PatientName": "CANARY^NAME"}')
    task = {"info": INFO, "process": {"module_name": "brain-edge", "settings": {"threads": 1}}}
    (folder / "task.json").write_text(json.dumps(task))
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; those of pytest are closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def module(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.endswith(("_DIR", "PATH"))}
    return subprocess.run(
        [sys.executable, "-m", "edge_infer.node_cli", "task", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**clean, "PATH": os.environ["PATH"], **environment},
    )


def test_a_module_reads_the_environment_and_writes_flat(study_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    finished = module(MERCURE_IN_DIR=str(study_folder), MERCURE_OUT_DIR=str(out))
    assert finished.returncode == 0, finished.stderr
    objects = [pydicom.dcmread(path) for path in out.glob("*.dcm")]
    assert {one.Modality for one in objects} >= {"SR"}
    assert {str(one.StudyInstanceUID) for one in objects} == {uid_of("task")}
    result = json.loads((out / "result.json").read_text())
    assert sorted(result["files"]) == sorted(path.name for path in out.glob("*.dcm"))
    assert sorted(path.suffix for path in out.iterdir()) == [".dcm"] * len(objects) + [".json"]
    assert result["series"][0]["slices"]["total"] == 5
    assert result["refused"] == {}
    shown = finished.stdout + finished.stderr + (out / "result.json").read_text()
    assert "CANARY" not in shown.upper()
    assert "Research use only" in finished.stderr
    assert "Research use only" in result["notice"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_it_runs_as_a_foreign_user_without_a_home(
    study_folder: Path, tmp_path: Path, open_folder: Path
) -> None:
    source, out = open_folder / "in", open_folder / "out"
    shutil.copytree(study_folder, source)
    out.mkdir()
    out.chmod(0o777)
    for path in (source, *source.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Once as root, since the interpreter's own files may lie where nobody else can read; then as the other user.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from edge_infer.node.task import run_task\n"
        "source, first, second = map(Path, sys.argv[1:])\n"
        "run_task(source, first)\n"
        "os.setgroups([])\nos.setgid(54321)\nos.setuid(54321)\n"
        "run_task(source, second)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "first"), str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )
    assert finished.returncode == 0, finished.stderr
    assert (out / "result.json").stat().st_uid == 54321
    assert json.loads((out / "result.json").read_text())["files"]


def test_a_folder_of_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    write_files(tmp_path / "in", [mosaic()])
    finished = module("--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"))
    assert finished.returncode == NoInputs.exit_code
    assert "1 mosaic" in finished.stderr
    assert list((tmp_path / "out").iterdir()) == []


def no_answer(*_args: object, **_more: object) -> Answer:
    raise AssertionError


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("{", "is no JSON"),
        ('{"process": {"settings": {"thread": 1}}}', "unknown key thread"),
        ('{"process": {"settings": {"threads": "2"}}}', "threads is '2'"),
        ('{"process": {"settings": {"despite": ["mosaic"]}}}', "despite"),
        ('{"process": [{"module_name": "a"}, {"module_name": "b"}]}', "lists several modules"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_a_task_that_is_wrong_is_refused_before_anything_is_read(
    tmp_path: Path, task: str, said: str
) -> None:
    (tmp_path / "task.json").write_text(task)
    with pytest.raises(DataRefused, match=said) as raised:
        run_task(tmp_path, tmp_path / "out", answerer=no_answer)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "task",
    [
        "{}",
        "[]",
        '{"process": {}}',
        '{"process": []}',
        '{"process": {"settings": null}}',
        '{"process": [{"module_name": "other", "settings": {"x": 1}}, {"module_name": "Brain-Edge"}]}',
    ],
)
def test_a_task_without_settings_gives_the_defaults(tmp_path: Path, task: str) -> None:
    (tmp_path / "task.json").write_text(task)
    assert read_task_settings(tmp_path).scope == "enforce"


def test_settings_of_a_chain_are_those_of_our_module(tmp_path: Path) -> None:
    steps = [{"module_name": "other", "settings": {"x": 1}}]
    steps += [{"module_name": "our-brain-module", "settings": {"scope": "report", "threads": 3}}]
    (tmp_path / "task.json").write_text(json.dumps({"info": INFO, "process": steps}))
    settings = read_task_settings(tmp_path)
    assert (settings.scope, settings.threads) == ("report", 3)


def test_folders_come_from_options_then_from_any_of_the_platforms() -> None:
    names: dict[str, Any] = {"MONAI_INPUTPATH": "/monai", "HOLOSCAN_INPUT_PATH": "/holoscan"}
    assert folder_of(Path("given"), names, is_input=True) == Path("given")
    assert folder_of(None, names, is_input=True) == Path("/holoscan")
    assert folder_of(
        None, {"MERCURE_OUT_DIR": "", "MONAI_OUTPUTPATH": "/m"}, is_input=False
    ) == Path("/m")
    with pytest.raises(NoInputs, match="--output is not given and MERCURE_OUT_DIR is not set"):
        folder_of(None, names, is_input=False)


def test_an_error_leaves_nothing_in_the_output(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "load", lambda *_args, **_options: None)

    def fails(_classifier: Any, _images: Any, out: Path, **_options: Any) -> Answer:
        (out / "half.dcm").write_text("half")
        raise DataRefused("the stub refuses")

    with warnings.catch_warnings(), pytest.raises(DataRefused):
        run_task(study_folder, tmp_path / "out", answerer=fails)
    assert list((tmp_path / "out").iterdir()) == []
