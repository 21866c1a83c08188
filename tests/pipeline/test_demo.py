"""`make demo` tells its story to the end on every machine, also where no INT8 form passes the gate."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in *--int8*) exit $INT8_STATUS;; *) exit 0;; esac
"""


def demo(folder: Path, int8_status: int) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the demo with commands that only note how they were called."""
    for name in ("brain-infer", "brain-export"):
        (folder / name).write_text(FAKE)
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "examples/demo.sh"],
        cwd=ROOT,
        env={
            **os.environ,
            "BIN": str(folder),
            "OUT": str(folder / "out"),
            "CALLS": str(folder / "calls"),
            "INT8_STATUS": str(int8_status),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done, (folder / "calls").read_text().splitlines()


def test_it_classifies_exports_and_classifies_again(tmp_path: Path) -> None:
    done, calls = demo(tmp_path, 0)
    assert done.returncode == 0, done.stderr
    shipped, export, drawn, as_json = calls
    assert shipped.count("examples/brisc_") == 4
    assert "--bundle" not in shipped
    assert "--model cvt13 --int8 --quick" in export
    assert "--bundle bundles/cvt13-int8 --heatmap" in drawn
    assert "--json" in as_json
    assert "bundle:   bundles/cvt13-int8" in done.stdout


def test_where_no_int8_passes_it_ends_with_fp32_and_says_so(tmp_path: Path) -> None:
    done, calls = demo(tmp_path, 86)
    assert done.returncode == 0, done.stderr
    assert "No INT8 form passed the gate on this machine (exit status 86)" in done.stdout
    assert "--fp32" in calls[2]
    assert "--bundle bundles/cvt13-fp32" in calls[3]
    assert "bundle:   bundles/cvt13-fp32" in done.stdout


@pytest.mark.parametrize("status", [1, 2, 40, 85])
def test_any_other_failure_ends_it(tmp_path: Path, status: int) -> None:
    done, calls = demo(tmp_path, status)
    assert done.returncode == status
    assert len(calls) == 2
