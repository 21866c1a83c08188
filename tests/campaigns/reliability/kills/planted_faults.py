"""R14: thousands of images, faulty ones among them; and batches that are killed."""

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.kills.children import Ended, missing_strace, run_child
from reliability.kills.faulty_files import FAULTS, good
from tiny_bundle import bundle_files, manifest_body

from edge_infer import cli
from edge_infer.bundle import write_bundle

__all__ = ["CAMPAIGN"]

#: Trial 0 is small, 1 and 2 are the whole batch as JSON lines and as a table; all others are killed.
_SMALL, _WHOLE = 200, 10_000
_GOOD = 40
_SHARE = 0.1

#: A row: its file, its answer (a label, or the code of an error), its score.
_Row = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    bundle: Path
    good: tuple[bytes, ...]
    faulty: dict[str, tuple[bytes, str]]
    answers: tuple[_Row, ...]


def _prepare(folder: Path) -> _Prepared:
    """Make the files, and get the answers to the good ones, alone."""
    write_bundle(folder / "b", bundle_files(), manifest_body())
    files = tuple(good(seed) for seed in range(_GOOD))
    place = folder / "good"
    place.mkdir()
    for number, data in enumerate(files):
        (place / f"{number:05}.png").write_bytes(data)
    _, text = _classified(folder / "b", [place], folder / "rows", "--json")
    return _Prepared(
        bundle=folder / "b",
        good=files,
        faulty={name: (make(), code) for name, (make, code) in FAULTS.items()},
        answers=tuple(_json_rows(text)),
    )


def _batch(prepared: _Prepared, number: int, count: int, folder: Path) -> list[_Row]:
    """Write a batch and return the rows it must give."""
    draw = random.Random(number)  # noqa: S311 -- an attack, no secret
    expected = []
    folder.mkdir()
    for place in range(count):
        name = f"{place:05}.png"
        if draw.random() < _SHARE:
            data, code = prepared.faulty[draw.choice(sorted(prepared.faulty))]
            expected.append((name, code, ""))
        else:
            which = draw.randrange(_GOOD)
            data = prepared.good[which]
            expected.append((name, *prepared.answers[which][1:]))
        (folder / name).write_bytes(data)
    return expected


def _ours(prepared: _Prepared, number: int, folder: Path) -> Seen:
    form = "--csv" if number % 2 == 0 and number else "--json"
    rows = _csv_rows if form == "--csv" else _json_rows
    count = _WHOLE if number in (1, 2) else _SMALL
    images = folder / "images"
    expected = _batch(prepared, number, count, images)
    if number > 2:
        return _killed(prepared, number, folder, expected, form, rows)
    ended, text = _classified(prepared.bundle, [images], folder / "rows", form)
    _same(rows(text), expected)
    if ended.status != 100:
        raise Broken(f"exit status {ended.status} where some of several files failed")
    if "Traceback" in ended.said:
        raise Broken("a traceback")
    return Seen(
        kind="answered in order, each code right",
        tries=count,
        figures={"ms per file": 1000 * ended.seconds / count},
    )


def _killed(
    prepared: _Prepared,
    number: int,
    folder: Path,
    expected: list[_Row],
    form: str,
    rows: Callable[[str], list[_Row]],
) -> Seen:
    """Kill it before a drawn row, or after a drawn time; the rest is given to a second run."""
    draw = random.Random(-number)  # noqa: S311 -- see above
    images = folder / "images"
    kill: dict[str, Any] = {"kill_after_s": draw.uniform(0.05, 0.006 * len(expected))}
    if draw.random() < 0.7 and missing_strace() is None:
        kill = {"inject": [f"write:signal=KILL:when={draw.randint(1, len(expected))}"]}
    _, text = _classified(prepared.bundle, [images], folder / "rows", form, **kill)
    if text and not text.endswith("\n"):
        raise Broken("a killed run left half a row")
    done = rows(text)
    _same(done, expected[: len(done)])
    rest = [images / name for name, _, _ in expected[len(done) :]]
    if rest:
        # In a folder as before: a file that is named by itself may also be a scan, and scans come after images.
        left = folder / "left"
        left.mkdir()
        for path in rest:
            path.rename(left / path.name)
        _, more = _classified(prepared.bundle, [left], folder / "rest", form)
        done += rows(more)
    _same(done, expected)
    is_begun = 0 < len(expected) - len(rest) < len(expected)
    kind = (
        "killed between rows" if is_begun else "killed before" if rest else "done before the kill"
    )
    return Seen(kind=kind, tries=len(expected))


def _classified(
    bundle: Path, inputs: list[Path], out: Path, form: str, **kill: Any
) -> tuple[Ended, str]:
    arguments = [*map(str, inputs), form, "--bundle", str(bundle), "--threads", "1"]
    ended = run_child(
        lambda: cli.main(arguments, prog_name="brain-infer"),
        stdout=out,
        **kill,
        limit_s=3000,
    )
    return ended, out.read_text("utf-8") if out.exists() else ""


def _json_rows(text: str) -> list[_Row]:
    rows = []
    for line in text.splitlines():
        found = json.loads(line)
        error = found.get("error")
        answer = error["code"] if error else found["label"]
        score = "" if error else f"{found['score']:.6f}"
        rows.append((Path(found["source"]).name, answer, score))
    return rows


def _csv_rows(text: str) -> list[_Row]:
    rows = []
    for found in csv.DictReader(io.StringIO(text)):
        answer = found["label"] or found["error_code"]
        rows.append((Path(found["source"]).name, answer, found["score"]))
    return rows


def _same(found: list[_Row], expected: list[_Row]) -> None:
    if len(found) != len(expected):
        raise Broken(f"{len(found)} rows for {len(expected)} files")
    for got, wanted in zip(found, expected, strict=True):
        if got != wanted:
            raise Broken(f"a row says {got[1]}, expected {wanted[1]}")


def _skipping(prepared: _Prepared, number: int, folder: Path) -> str:
    """A loop that goes on after a fault and says nothing of it."""
    expected = _batch(prepared, number, _SMALL, folder / "images")
    found = []
    for place, path in enumerate(sorted((folder / "images").iterdir())):
        try:
            Image.open(path).convert("L")
        except Exception:  # noqa: S112 -- the defence that is taken out
            continue
        found.append((path.name, *expected[place][1:]))
    _same(found, expected)
    return "answered"


def _bare(prepared: _Prepared, number: int, folder: Path) -> str:
    """A loop as most scripts have it."""
    expected = _batch(prepared, number, _SMALL, folder / "images")
    for place, path in enumerate(sorted((folder / "images").iterdir())):
        try:
            Image.open(path).convert("L")
        except Exception as error:
            raise Broken(f"stopped at file {place} of {len(expected)}") from error
    return "answered"


CAMPAIGN = Campaign(
    id="R14",
    title="Faults in a batch",
    promise="Each file of a batch gets its row, in order, with its answer or the code of its fault; "
    "a kill costs no row that was written.",
    attack="plants faults of 20 kinds among thousands of images; kills other batches after a drawn time and gives the "
    "rest to a second run",
    unit="files",
    subjects={
        "ours": Subject(trial=_ours, prepare=_prepare, what="`brain-infer --json` and `--csv`"),
        "control": Subject(
            trial=_skipping, prepare=_prepare, what="a loop that leaves out what it cannot read"
        ),
        "raw": Subject(
            trial=_bare, prepare=_prepare, what="a loop of Pillow's `open` and `convert`"
        ),
    },
    ci={"ours": 1, "control": 1, "raw": 1},
    full={"ours": 203, "control": 50, "raw": 50},
    limit_s=3600,
    chunk=2,
    control_share=0.9,
)
