"""What ``brain-train`` writes to stderr: plain lines to a file, progress bars to a terminal."""

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def command(phantoms: Path, folder: Path) -> list[str]:
    recipe = folder / "tiny.toml"
    recipe.write_text(
        "epochs = 2\nbatch_size = 14\nlearning_rate = 1e-3\nweight_decay = 0.0\nimage_size = 32\n"
        "bf16 = true\naverage_last = 1\n"
    )
    return [
        *(sys.executable, "-m", "train.cli", "--model", "cvt_test", "--data", str(phantoms)),
        *("--manifest", str(phantoms / "manifest.csv"), "--recipe", str(recipe)),
        *("--output", str(folder / "run"), "--cache", str(folder / "cache")),
    ]


def test_a_log_has_whole_lines_and_neither_bars_nor_colours(
    phantom_folder: Path, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("wb") as log:
        done = subprocess.run(
            command(phantom_folder, tmp_path), stdout=subprocess.PIPE, stderr=log, check=True
        )
    text = (tmp_path / "log").read_bytes()
    assert (text.count(b"\r"), text.count(b"\x1b")) == (0, 0)
    lines = text.decode().splitlines()
    epochs = [line for line in lines if re.search(r" epoch \d of 2: loss \d", line)]
    assert len(epochs) == 2
    assert not [line for line in lines if "%|" in line or line.startswith("{")]
    assert done.stdout.startswith(b"checkpoint: ")


def test_a_terminal_has_a_bar(phantom_folder: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))  # tqdm draws nothing where there are no columns
    with subprocess.Popen(
        command(phantom_folder, tmp_path), stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
        assert process.wait(300) == 0, shown.decode()
    os.close(ours)
    assert b"\r" in shown
    assert b"4/4" in shown, "steps"
    assert b"%|" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # as Linux says that nobody writes to it any more
        return b""
