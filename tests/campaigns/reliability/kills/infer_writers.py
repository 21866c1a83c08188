"""``brain-infer`` as a writer: heatmaps into files, rows into a table."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from reliability.campaign import Broken
from reliability.kills.children import Ended
from reliability.kills.writers import Writer
from tiny_bundle import bundle_files, manifest_body, scan

from edge_infer import cli
from edge_infer.bundle import write_bundle

__all__ = ["heatmaps", "table"]

_IMAGES = 3

#: Whatever the call that failed was for: reading an image, the bundle or a library, writing, running.
_STATUSES = frozenset({20, 21, 22, 30, 31, 32, 40, 41, 80, 84, 100})


def heatmaps(kept: Path) -> Writer:
    """Classify three images, with a heatmap of each over older ones, as JSON lines."""
    arguments = [*_given(kept), "--json", "--heatmap"]

    def before(folder: Path) -> None:
        (folder / "maps").mkdir()
        for number in range(_IMAGES):
            scan(10 + number).save(folder / "maps" / f"{number}.heatmap.png")

    return _writer(
        "brain-infer --heatmap",
        before,
        lambda folder: [*arguments, str(folder / "maps")],
        _json_rows,
    )


def table(kept: Path) -> Writer:
    """Classify three images into a CSV table."""
    arguments = [*_given(kept), "--csv"]
    return _writer("brain-infer --csv", lambda _folder: None, lambda _folder: arguments, _csv_rows)


def _given(kept: Path) -> list[str]:
    write_bundle(kept / "b", bundle_files(), manifest_body())
    (kept / "images").mkdir()
    for number in range(_IMAGES):
        scan(number).save(kept / "images" / f"{number}.png")
    return [str(kept / "images"), "--bundle", str(kept / "b"), "--threads", "1"]


def _writer(
    name: str,
    before: Callable[[Path], object],
    arguments: Callable[[Path], Sequence[str]],
    rows: Callable[[str], list[str]],
) -> Writer:
    return Writer(
        name=name,
        before=before,
        write=lambda folder: cli.main([*arguments(folder)], prog_name="brain-infer"),
        statuses=_STATUSES,
        check=lambda folder, ended: _check(folder, ended, rows),
        prints=True,
        # Without heatmaps no file changes: what is written are rows.
        state=None if "heatmap" in name else lambda _folder: "new",
    )


def _check(folder: Path, ended: Ended | None, rows: Callable[[str], list[str]]) -> None:
    """Rows are whole, in order, and all of them where the exit status is 0."""
    text = (folder / "rows").read_text("utf-8")
    if text and not text.endswith("\n"):
        raise Broken("the last row is not whole")
    try:
        found = rows(text)
    except (ValueError, KeyError):
        raise Broken("a row is not whole") from None
    expected = [f"{number}.png" for number in range(_IMAGES)]
    if found != expected[: len(found)]:
        raise Broken("rows are missing between others")
    if (ended is None or ended.status in (0, 100)) and found != expected:
        raise Broken("rows are missing, and the exit status does not say so")


def _json_rows(text: str) -> list[str]:
    return [Path(json.loads(line)["source"]).name for line in text.splitlines()]


def _csv_rows(text: str) -> list[str]:
    return [Path(row["source"]).name for row in csv.DictReader(io.StringIO(text))]
