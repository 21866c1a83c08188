"""The unit and the script of examples/service fit the command."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from edge_infer.serve_cli import main

EXAMPLES = Path(__file__).parents[3] / "examples" / "service"


def test_the_unit_starts_a_command_that_exists_and_waits_for_its_end() -> None:
    lines = (EXAMPLES / "brain-serve.service").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    program, *words = shlex.split(settings["ExecStart"])
    assert Path(program).name == main.name
    with click.Context(main) as context:
        main.parse_args(context, list(words))
        assert context.params["unix_socket"].parent.name == settings["RuntimeDirectory"]
        assert float(settings["TimeoutStopSec"]) > context.params["stop_timeout"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_script_asks_and_stops(tmp_path: Path) -> None:
    command = tmp_path / "brain-serve"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edge_infer.serve_cli "$@"\n')
    command.chmod(0o755)
    root = str(EXAMPLES.parents[1])
    finished = subprocess.run(
        [str(EXAMPLES / "ask.sh")],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count('"status": "ok"') == 2
    assert 'outcome="accept"} 2' in finished.stdout
