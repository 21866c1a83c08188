"""Kill brain-batch again and again, and compare what it has in the end with an unbroken run.

    python tests/campaigns/scale/kills.py [--images 100000] [--kills 50] [--result docs/scale/kills.json]

Two workers. Among the images are damaged ones, and one that kills its process whenever it is opened. A kill (SIGKILL)
takes a worker, the driver, or all processes at once, in turn, after a random number of answers; after a driver's death
its workers must end by themselves. Then the same command goes on. The rows must be those of a run that nobody killed,
byte by byte, in Parquet and in JSON lines. A campaign that was stopped goes on; --restart begins anew.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.batch import (
    VARIABLES,
    answered_units,
    batch_words,
    json_rows,
    parts_digest,
    rows_by_state,
)
from scale.images import link, link_images, validation_images
from scale.records import TOP, circumstances, read_json, write_json
from scale.watching import MARK, end, marked, new_mark, resident_bytes
from tqdm import tqdm

WORK = TOP / "runs" / "scale" / "kills"
KINDS = ("worker", "driver", "all")
DAMAGED = 3
#: A driver that was killed leaves workers that must notice.
ORPHANS_MAY_LIVE_S = 60
_POLL_S = 0.1
_POISON = str(Path(__file__).resolve().parent / "poison")


@dataclass(kw_only=True)
class Campaign:
    """A campaign on the disk.

    Attributes:
        folder: For images and results; removed at the end of a campaign.
        images: How many.
        kills: How many.
        partition_size: Images a partition.
        seed: Decides when kills come.
        state: What was done so far.
    """

    folder: Path
    images: int
    kills: int
    partition_size: int = 1000
    seed: int = 25
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> Path:
        """The package as it was when the campaign began."""
        return self.folder / "code"

    def run(self, *, shows: bool = True) -> dict[str, Any]:
        """Do what is missing, and return the result."""
        setting = [self.images, self.kills, self.partition_size, self.seed]
        self.state = read_json(self.folder / "state.json", {})
        if self.state.get("setting") != setting:
            shutil.rmtree(self.folder, ignore_errors=True)
            # A copy, so that nobody's edit of the checkout comes between two starts of one run.
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(TOP / "edge_infer", self.code / "edge_infer", ignore=ignored)
            self.state = {"setting": setting, "kills": [], "memory": []}
        archive = self._archive()
        reference, broken = self.folder / "unbroken", self.folder / "broken"
        if "unbroken_s" not in self.state:
            shutil.rmtree(reference, ignore_errors=True)
            with _bar("unbroken", self.images, shows) as bar:
                self.state["unbroken_s"] = self._unbroken(archive, reference, bar)
            self._keep()
        with _bar(f"{self.kills} kills", self.images, shows) as bar:
            while not self._goes_on(archive, broken, bar):
                self._keep()
        self._keep()
        return self._compared(reference, broken)

    def _archive(self) -> Path:
        """Make the images: a few of them are bad."""
        archive = self.folder / "images"
        link_images(archive, self.images - DAMAGED - 1)
        bad = archive / f"{self.images // 2 // 5000:04d}"
        bad.mkdir(exist_ok=True)
        source = validation_images()[0]
        for number in range(DAMAGED):
            (bad / f"damaged{number}.jpg").write_bytes(source.read_bytes()[: 1000 + number])
        if not (bad / "poison.jpg").exists():
            link(source, bad / "poison.jpg")
        return archive

    def _words(self, archive: Path, output: Path) -> list[str]:
        words = batch_words(archive, output, workers=2, partition_size=self.partition_size)
        return [*words, "--format", "parquet", "--format", "jsonl"]

    def _start(self, archive: Path, output: Path, mark: str) -> "subprocess.Popen[bytes]":
        path = os.pathsep.join([str(self.code), _POISON, os.environ.get("PYTHONPATH", "")])
        log = self.folder / "log"
        with log.open("ab") as said:
            return subprocess.Popen(
                self._words(archive, output),
                cwd=self.folder,  # Python looks for packages there first
                env={**os.environ, **VARIABLES, MARK: mark, "PYTHONPATH": path},
                stdout=said,
                stderr=said,
            )

    def _unbroken(self, archive: Path, output: Path, bar: "tqdm[Any]") -> float:
        started, mark = time.monotonic(), new_mark()
        process = self._start(archive, output, mark)
        try:
            while process.poll() is None:
                time.sleep(0.5)
                _advance(bar, answered_units(output, self.partition_size))
        finally:
            end(mark)
        _advance(bar, self.images)
        _require_done(process, self.folder)
        return time.monotonic() - started

    def _goes_on(self, archive: Path, output: Path, bar: "tqdm[Any]") -> bool:
        """Start the command, kill, and return whether it came to its end."""
        mark = new_mark()
        process = self._start(archive, output, mark)
        try:
            return self._attack(process, mark, output, bar)
        finally:
            end(mark)

    def _attack(
        self, process: "subprocess.Popen[bytes]", mark: str, output: Path, bar: "tqdm[Any]"
    ) -> bool:
        begun = time.monotonic()
        while process.poll() is None:
            time.sleep(_POLL_S)
            answered = min(self.images, answered_units(output, self.partition_size))
            _advance(bar, answered)
            self._look(process.pid, mark, answered)
            number = len(self.state["kills"])
            if number < self.kills and answered >= self._thresholds()[number]:
                kind = KINDS[number % len(KINDS)]
                seen = self._kill(kind, process, mark, number)
                if seen is None:  # no worker is up yet
                    continue
                ran_s = round(time.monotonic() - begun, 2)
                self.state["kills"].append(
                    {"kind": kind, "answered": answered, "ran_s": ran_s, **seen}
                )
                if kind != "worker":
                    return False
                self._keep()
        _require_done(process, self.folder)
        return True

    def _thresholds(self) -> list[int]:
        """Return after how many answers each kill comes: at random, one in each of as many equal spans."""
        draws = np.random.default_rng(self.seed).uniform(0.05, 0.95, self.kills)
        span = 0.97 * self.images / self.kills
        return [int(span * (number + draw)) for number, draw in enumerate(draws)]

    def _kill(
        self, kind: str, process: "subprocess.Popen[bytes]", mark: str, number: int
    ) -> dict[str, Any] | None:
        workers = _workers(process.pid, mark)
        if not workers:
            return None
        draws = np.random.default_rng([self.seed, number])
        time.sleep(draws.uniform(0, 0.3))
        if kind == "worker":
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(draws.choice(workers)), signal.SIGKILL)
            return {}
        for pid in [process.pid] if kind == "driver" else [process.pid, *marked(mark)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        died = time.monotonic()
        while marked(mark) and time.monotonic() - died < ORPHANS_MAY_LIVE_S:
            time.sleep(0.05)
        left = marked(mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return {"all_ended_after_s": round(time.monotonic() - died, 2), "orphans": len(left)}

    def _look(self, driver: int, mark: str, answered: int) -> None:
        """Record memory about 400 times over the whole campaign."""
        memory = self.state["memory"]
        if memory and answered - memory[-1][0] < self.images / 400:
            return
        others = [resident_bytes(pid) for pid in marked(mark) if pid != driver]
        memory.append([answered, resident_bytes(driver), max(others, default=0), len(others)])

    def _keep(self) -> None:
        write_json(self.folder / "state.json", self.state)

    def _compared(self, reference: Path, broken: Path) -> dict[str, Any]:
        equal = {
            name: parts_digest(reference, name) == parts_digest(broken, name)
            for name in ("parquet", "jsonl")
        }
        kills = self.state["kills"]
        return {
            "images": self.images,
            "partition_size": self.partition_size,
            "seed": self.seed,
            "workers": 2,
            "kills": {kind: sum(kill["kind"] == kind for kill in kills) for kind in KINDS},
            "equal": equal,
            "units": len({row["unit"] for row in json_rows(broken)}),
            "rows": sum(1 for _ in json_rows(broken)),
            "states": rows_by_state(broken),
            "unbroken_s": self.state["unbroken_s"],
            "orphans": sum(kill.get("orphans", 0) for kill in kills),
            "ended_after_s": sorted(
                kill["all_ended_after_s"] for kill in kills if kill["kind"] == "driver"
            ),
            "memory": self.state["memory"],
        }


def _workers(driver: int, mark: str) -> list[int]:
    """Return the processes that answer: those that use onnxruntime."""
    found = []
    for pid in marked(mark):
        with contextlib.suppress(OSError):
            if pid != driver and "onnxruntime" in Path(f"/proc/{pid}/maps").read_text():
                found.append(pid)
    return found


def _require_done(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    if process.returncode not in (0, 100):  # 100: some images could not be classified
        said = (folder / "log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"brain-batch ended with {process.returncode}:\n{said}")


def _bar(name: str, total: int, shows: bool) -> "tqdm[Any]":
    return tqdm(total=total, desc=name, unit="image", disable=not shows)


def _advance(bar: "tqdm[Any]", answered: int) -> None:
    bar.update(max(0, answered - bar.n))


def main() -> None:
    """Run the campaign and write its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--partition-size", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=25)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "kills.json")
    parser.add_argument("--restart", action="store_true")
    given = parser.parse_args()
    if given.restart:
        shutil.rmtree(WORK, ignore_errors=True)
    where = circumstances()
    campaign = Campaign(
        folder=WORK,
        images=given.images,
        kills=given.kills,
        partition_size=given.partition_size,
        seed=given.seed,
    )
    result = campaign.run()
    write_json(given.result, {"circumstances": where, **result})
    print({key: value for key, value in result.items() if key != "memory"})
    holds = all(result["equal"].values()) and result["rows"] == result["units"] == given.images
    if holds and not result["orphans"]:
        shutil.rmtree(WORK, ignore_errors=True)
    else:
        raise SystemExit("does not hold; both runs are kept")


if __name__ == "__main__":
    main()
