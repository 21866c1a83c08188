"""Run one way in the environment of its engine."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scale.commands import run_watched
from scale.records import TOP
from scale.watching import end, marked

__all__ = ["ENVIRONMENT", "Started", "run_way"]

#: Which environment each way needs.
ENVIRONMENT = {
    "alone": "none",
    "pool": "none",
    "dask": "dask",
    "ray_actors": "ray_core",
    "ray_data": "ray_data",
}


@dataclass(frozen=True, kw_only=True)
class Started:
    """A way to run.

    Attributes:
        environments: The folder with the engines' environments.
        way: One of ENVIRONMENT.
        images: What to answer.
        workers: Processes that answer.
        part: Images a task.
    """

    environments: Path
    way: str
    images: list[Path]
    workers: int
    part: int


def run_way(
    started: Started,
    *,
    limit_s: float,
    count: Path | None = None,
    kill_driver_at: int | None = None,
) -> dict[str, Any]:
    """Run it, and return what it printed and what was seen of it; ``ended`` says how it came to its end.

    Args:
        started: What to run.
        limit_s: Kill all of it after this time.
        count: A file that gets a byte for each image that is answered.
        kill_driver_at: Kill the process that was started once so many images are answered.
    """

    def kill_driver(process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + limit_s
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if count is not None and count.stat().st_size >= (kill_driver_at or 0):
                    process.kill()
                    return
            time.sleep(0.02)

    with tempfile.TemporaryDirectory() as temporary:
        listed = Path(temporary) / "list.txt"
        listed.write_text("".join(f"{path}\n" for path in started.images), encoding="utf-8")
        words = [str(started.environments / ENVIRONMENT[started.way] / "bin" / "python")]
        words += ["-m", "scale.ways.run", started.way, str(listed)]
        words += ["--workers", str(started.workers), "--part", str(started.part)]
        ended = run_watched(
            words,
            folder=Path(temporary),
            limit_s=limit_s,
            variables=_variables(temporary, count),
            meddle=kill_driver if kill_driver_at else None,
            end_all=not kill_driver_at,
        )
        seen = {key: value for key, value in ended.seen.items() if key != "memory"}
        seen["ended"] = ended.how
        if kill_driver_at:
            seen |= _left_after(ended.mark)
    results = [line for line in ended.stdout.splitlines() if line.startswith('{"times"')]
    if results:
        return seen | json.loads(results[-1])
    # Engines print to both.
    said = (ended.stdout + ended.stderr).strip().splitlines()
    return seen | ({"complaint": said[-1][:200]} if said else {})


def _variables(temporary: str, count: Path | None) -> dict[str, str]:
    own = {
        "PYTHONPATH": os.pathsep.join([str(TOP), str(TOP / "tests" / "campaigns")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TMPDIR": temporary,
        "RAY_TMPDIR": temporary,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return own if count is None else own | {"SCALE_COUNT": str(count)}


def _left_after(mark: str) -> dict[str, int]:
    """Count processes that outlive a driver that was killed, after some times; then kill them."""
    left = {}
    begun = time.monotonic()
    for seconds in (1, 5, 15, 60):
        while time.monotonic() - begun < seconds and marked(mark):
            time.sleep(0.1)
        left[f"left_after_{seconds}_s"] = len(marked(mark))
    end(mark)
    return left
