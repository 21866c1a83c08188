"""What has been run: a line for each finished chunk, and the sums that are committed.

``runs/campaigns/R4-ours.jsonl`` grows while a campaign runs; ``docs/reliability.json`` holds what is published. Trials
that either of them has are not run again, so a campaign goes on after a kill, on another day, or in a new checkout.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.environment import environment
from edge_infer.atomic import write_bytes_atomically

__all__ = ["PUBLISHED", "Record", "publish", "published"]

_TOP = Path(__file__).parents[3]
PUBLISHED = _TOP / "docs" / "reliability.json"

#: Failures that are listed; all are counted.
_LISTED = 20


class Record:
    """The trials of one subject of one campaign."""

    def __init__(
        self, name: str, subject: str, *, folder: Path, published: Path | None = PUBLISHED
    ) -> None:
        self._file = folder / f"{name}-{subject}.jsonl"
        before = {} if published is None else _of(published, name).get(subject, {})
        self._before: dict[str, Any] = before
        here = environment()
        flags = ", ".join(here["cpu_flags"])
        self._machine = {
            "commit": here["commit"],
            "processor": f"{here['cpu']} ({flags}), {here['usable_cores']} cores",
        }
        self._last = time.monotonic()
        self._done = {
            number for first, end in before.get("ranges", []) for number in range(first, end)
        }
        # What is published already is not counted twice where its lines are still here.
        lines = _whole_lines(self._file)
        self._lines = [line for line in lines if not self._done.issuperset(line["trials"])]
        for line in self._lines:
            self._done.update(line["trials"])

    def restart(self) -> None:
        """Forget what has been run."""
        self._file.unlink(missing_ok=True)
        self._before, self._lines, self._done = {}, [], set()

    def missing(self, until: int, chunk: int) -> Iterator[list[int]]:
        """Yield the numbers below ``until`` that have not been run, in chunks."""
        left = [number for number in range(until) if number not in self._done]
        for start in range(0, len(left), chunk):
            yield left[start : start + chunk]

    def add(self, numbers: list[int], result: dict[str, Any]) -> None:
        """Write a finished chunk down."""
        now = time.monotonic()
        line = {
            "trials": numbers,
            **result,
            **self._machine,
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "seconds": round(now - self._last, 3),
        }
        self._last = now
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._lines.append(line)
        self._done.update(numbers)

    @property
    def trials(self) -> int:
        """How many trials have been run."""
        return len(self._done)

    def sums(self) -> dict[str, Any]:
        """Return everything that has been run, added up."""
        kinds = Counter(self._before.get("kinds", {}))
        figures: dict[str, float] = dict(self._before.get("figures", {}))
        listed = list(self._before.get("failures", []))
        failed = self._before.get("failed", 0)
        parts: dict[str, dict[str, Any]] = {
            _key(part): dict(part) for part in self._before.get("parts", [])
        }
        tries = self._before.get("tries", 0)
        slowest = self._before.get("slowest_s", 0.0)
        for line in self._lines:
            kinds.update(line["kinds"])
            failed += len({failure["trial"] for failure in line["failures"]})
            listed += line["failures"]
            tries += line["tries"]
            slowest = max(slowest, line["slowest_s"])
            for name, value in line["figures"].items():
                figures[name] = max(value, figures.get(name, value))
            part = parts.setdefault(
                _key(line),
                {**{name: line[name] for name in _PART}, "trials": 0, "seconds": 0.0},
            )
            part["trials"] += len(line["trials"])
            part["seconds"] = round(part["seconds"] + line["seconds"], 1)
        return {
            "trials": self.trials,
            "ranges": _ranges(self._done),
            "tries": tries,
            "failed": failed,
            "failures": sorted(listed, key=lambda failure: failure["trial"])[:_LISTED],
            "kinds": dict(kinds.most_common()),
            "figures": {name: round(value, 4) for name, value in figures.items()},
            "slowest_s": round(slowest, 3),
            "parts": list(parts.values()),
        }


def _ranges(numbers: set[int]) -> list[list[int]]:
    """Return the numbers as ranges, each with its first number and the one behind its last."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number:
            found[-1][1] += 1
        else:
            found.append([number, number + 1])
    return found


_PART = ("commit", "processor", "date")


def _key(part: dict[str, Any]) -> str:
    return "|".join(str(part[name]) for name in _PART)


def published(path: Path = PUBLISHED) -> dict[str, Any]:
    """Return what is published, by id."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def publish(name: str, described: dict[str, Any], path: Path = PUBLISHED) -> None:
    """Put the sums of a campaign into the published file."""
    everything = published(path)
    everything[name] = described
    ordered = dict(sorted(everything.items(), key=lambda item: int(item[0][1:])))
    text = json.dumps(ordered, indent=1).replace(str(Path.home()), "~")  # no path of this machine
    write_bytes_atomically(path, (text + "\n").encode())


def _of(path: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = published(path).get(name, {}).get("subjects", {})
    return found


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a record; a last one that was cut off by a kill is left out."""
    if not path.exists():
        return
    text = path.read_text("utf-8")
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        path.write_text(text, "utf-8")
    for line in text.splitlines():
        yield json.loads(line)
