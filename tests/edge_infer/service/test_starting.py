"""What a service needs of the system before it takes requests: open files, and outputs that take its lines."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from service_contents import png
from service_runs import Service

from edge_infer.service.limits import Limits
from edge_infer.service.open_files import within_open_files

Start = Callable[..., Service]
FULL = Path("/dev/full")


def with_open_files(soft: int, hard: int) -> tuple[str, ...]:
    """The command under limits of open files."""
    code = (
        "import resource; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
        "from edge_infer.serve_cli import main; main()"
    )
    return ("-c", code)


def test_few_open_files_bound_the_connections_and_keep_nobody_out(start: Start) -> None:
    service = start(program=with_open_files(24, 24))
    said = {line["event"]: line for line in service.log_lines}
    few = said["few_connections"]
    assert (few["wanted"], few["open_files"], few["level"]) == (256, 24, "warning")
    assert 1 <= few["connections"] < 24
    assert said["ready"]["connections"] == few["connections"]
    idle = [service.connect() for _ in range(40)]
    started = time.monotonic()
    assert service.classify(png()).status == 200
    assert time.monotonic() - started < 15
    assert service.metric("connections") <= few["connections"] + 1
    for one in idle:
        one.socket.close()


def test_a_soft_limit_of_open_files_is_raised_as_far_as_connections_need(start: Start) -> None:
    service = start("--max-connections", 100, program=with_open_files(24, 1000))
    assert [line["event"] for line in service.log_lines] == ["ready"]
    limits = Path(f"/proc/{service.process.pid}/limits").read_text()
    soft, hard = next(line for line in limits.splitlines() if "open files" in line).split()[3:5]
    assert 100 < int(soft) < 200
    assert hard == "1000"
    assert service.log_lines[0]["connections"] == 100


def test_limits_that_fit_are_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = Limits(workers=1, connections=4)
    assert within_open_files(limits) is limits
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("full", ["stdout", "stderr"])
@pytest.mark.parametrize("words", [[], ["--access-log"]])
def test_an_output_that_takes_no_lines_is_an_error_at_the_start(
    bundle: Path, full: str, words: list[str]
) -> None:
    with FULL.open("wb") as stream:
        outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, full: stream}
        finished = subprocess.run(
            [
                sys.executable,
                "-m",
                "edge_infer.serve_cli",
                "--port",
                "0",
                "--bundle",
                bundle,
                *words,
            ],
            **outputs,
            text=True,
            check=False,
            timeout=30,
        )
    assert finished.returncode == 40
    if full == "stdout":
        assert "standard output: cannot be written" in finished.stderr
