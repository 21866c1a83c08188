"""``torchrun -m train``: one voice, one writer, one message, and a run that goes on after a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_infer.contract import RESEARCH_USE_ONLY

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]


def command(phantoms: Path, folder: Path, *more: str, model: str = "cvt_test") -> list[str]:
    recipe = folder / "tiny.toml"
    recipe.write_text(
        "epochs = 2\nbatch_size = 14\nlearning_rate = 1e-3\nweight_decay = 0.0\nimage_size = 32\n"
        "bf16 = false\n"
    )
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "train", "--model", model, "--data", str(phantoms), "--recipe", str(recipe)),
        *("--manifest", str(phantoms / "manifest.csv"), "--cache", str(folder / "cache")),
        *("--output", str(folder / "run"), *more),
    ]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_two_processes_speak_and_write_as_one(phantom_folder: Path, tmp_path: Path) -> None:
    with start(command(phantom_folder, tmp_path)) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("checkpoint: ") == out.count(RESEARCH_USE_ONLY) == 1
    assert out.count("test part") == 1
    assert len(re.findall(r" epoch \d of 2: loss \d", err)) == 2
    assert err.count("no leak found") == 1
    run = tmp_path / "run"
    training = json.loads((run / "checkpoint" / "training.json").read_text())
    assert training["processes"] == 2
    logs = [path.parent.name for path in run.glob("runs/*/events*")]
    assert len(logs) == len(set(logs)) == 2, (
        "one TensorBoard log of the training, one of the evaluation"
    )
    assert (run / "evaluation" / "test" / "metrics.json").is_file()

    with start(command(phantom_folder, tmp_path)) as process:  # without --resume
        out, err = process.communicate(timeout=300)
    assert process.returncode == 1, "torchrun's, whatever failed"
    assert err.count("holds a run already") == err.count("hint: ") == 1
    assert (out, err.count("has ended")) == ("", 0)


def test_a_wrong_call_is_refused_once(phantom_folder: Path, tmp_path: Path) -> None:
    with start(command(phantom_folder, tmp_path, "--modle", "x")) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err.count("No such option") == 1
    with start(command(phantom_folder, tmp_path, model="vgg")) as process:
        _, err = process.communicate(timeout=300)
    assert err.count("'vgg'") == 1
    assert not (tmp_path / "run").exists()
    torchrun = command(phantom_folder, tmp_path)
    at = torchrun.index("train") + 1
    with start([*torchrun[:at], "evaluate", "x", "--data", "x", "--output", "x"]) as process:
        _, err = process.communicate(timeout=300)
    assert err.count("evaluate is not shared by several processes") == 1


def test_if_one_process_is_killed_all_end_and_the_run_goes_on(
    phantom_folder: Path, tmp_path: Path
) -> None:
    arguments = command(phantom_folder, tmp_path, "--epochs", "8")
    with start(arguments) as process:
        deadline = time.monotonic() + 200
        while not list((tmp_path / "run").glob("checkpoint-*/COMPLETE")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        members = children(process.pid)
        assert len(members) == 2
        os.kill(members[1], signal.SIGKILL)
        _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "SIGKILL" in err, "torchrun says how it ended"
    assert err.count("another process of this training has ended") <= 1
    assert err.count("Traceback") <= 1, "torchrun's own"
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert not [pid for pid in members if Path(f"/proc/{pid}").exists()], "none is left"
    with start([*arguments, "--resume"]) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("checkpoint: ") == 1


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sorted(map(int, listed))
