"""brain-batch as a process, and what it left: for the campaigns."""

import contextlib
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = [
    "VARIABLES",
    "answered_units",
    "batch_words",
    "json_rows",
    "parts_digest",
    "rows_by_state",
    "written_bytes",
]

#: Of the environment of each run.
VARIABLES = {"ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_START = "from edge_infer.batch_cli import main; main()"


def batch_words(inputs: Path, output: Path, **options: object) -> list[str]:
    """Return the command; options by name, with underscores; True stands for an option without a value."""
    words = [sys.executable, "-c", _START, str(inputs), "--output", str(output)]
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        words += [] if value is True else [str(value)]
    return words


def json_rows(output: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run that wrote JSON lines, in the order of the partitions."""
    for part in sorted((output / "parts").glob("part-*.jsonl")):
        with part.open("rb") as lines:
            yield from map(json.loads, lines)


def parts_digest(output: Path, ending: str) -> str:
    """Return one number for all rows of a run in one format: names and bytes of its files."""
    digest = hashlib.sha256()
    for part in sorted((output / "parts").glob(f"part-*.{ending}")):
        digest.update(f"{part.name} {hashlib.sha256(part.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def rows_by_state(output: Path) -> dict[str, int]:
    """Count rows of a run that wrote JSON lines by state, those that failed by code."""
    return dict(Counter(row["code"] or row["state"] for row in json_rows(output)))


def answered_units(output: Path, partition_size: int) -> int:
    """Return how many units have rows by now: whole partitions, and lines of journals."""
    finished = len(list((output / "statistics").glob("part-*.json")))
    lines = 0
    for journal in (output / "work").glob("part-*.jsonl"):
        with contextlib.suppress(OSError):
            lines += journal.read_bytes().count(b'\n{"unit"')
    return finished * partition_size + lines


def written_bytes(output: Path) -> dict[str, int]:
    """Return the bytes of the plan, of the rows by format, and of the rest."""
    sizes = {"plan": 0, "parquet": 0, "jsonl": 0, "statistics": 0, "rest": 0}
    for path in output.rglob("*"):
        if path.is_file():
            folder, ending = path.relative_to(output).parts[0], path.suffix.removeprefix(".")
            kind = ending if folder == "parts" and ending in sizes else folder
            sizes[kind if kind in sizes else "rest"] += path.stat().st_size
    return sizes
