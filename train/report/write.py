"""Write a report's folder: report.html, summary.json and the images."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_infer.atomic import refuse_other_content, replace_folder_atomically
from train.data.samples import Progress
from train.report.bundles import BundleFacts
from train.report.data import DataFacts
from train.report.images import (
    answer_images,
    class_image,
    epoch_image,
    scan_image,
)
from train.report.page import render_page
from train.report.runs import RunFacts
from train.report.scans import ScanGrids, draw_scans
from train.report.summary import split_check, summarize

__all__ = ["REPORT", "SUMMARY", "write_report"]

REPORT = "report.html"
SUMMARY = "summary.json"


def write_report(
    target: Path,
    runs: Sequence[RunFacts],
    bundles: Mapping[int, Mapping[str, BundleFacts]],
    data: DataFacts | None,
    *,
    command: str,
    made_on: str,
    progress: Progress | None = None,
) -> Path:
    """Write a report's folder; an older report there is replaced as a whole.

    Args:
        target: A new or empty folder, or an older report with nothing else in it.
        runs: At least one.
        bundles: By the run's number and by precision.
        data: The data set, if given.
        command: How the report was made.
        made_on: The day, as YYYY-MM-DD.
        progress: Called with (runs done, all runs).

    Returns:
        The HTML file.

    Raises:
        CannotWrite: The folder holds something else, or cannot be written.
        DataRefused: An evaluation does not belong to its checkpoint or to the data.
    """
    _refuse_other_content(target)
    with replace_folder_atomically(target) as folder:
        report = summarize(runs, bundles, data, command=command, made_on=made_on)
        images = _images(runs, data, folder, progress)
        (folder / REPORT).write_text(render_page(report, images), encoding="utf-8")
        report["files"] = sorted([SUMMARY, *(path.name for path in folder.iterdir())])
        text = json.dumps(report, indent=2, allow_nan=False) + "\n"
        (folder / SUMMARY).write_text(text, encoding="utf-8")
    return target / REPORT


def _refuse_other_content(target: Path) -> None:
    if not target.is_dir():
        return
    try:
        summary = json.loads((target / SUMMARY).read_text(encoding="utf-8"))
        written = set(summary["files"])
    except (OSError, ValueError, KeyError, TypeError):
        written = set()
    refuse_other_content(target, written, what="a report")


def _images(
    runs: Sequence[RunFacts], data: DataFacts | None, folder: Path, progress: Progress | None
) -> dict[str, Any]:
    """Draw everything; ``notes`` says why a run has no scans."""
    images: dict[str, Any] = {
        "epochs": epoch_image(runs, folder),
        "pretraining": any(run.curves.pretraining for run in runs),
        "answers": {},
        "grids": {},
        "scans": {},
        "notes": {},
    }
    if data is not None:
        images["classes"] = class_image(data, folder)
    for done, run in enumerate(runs, start=1):
        if run.test is not None:
            images["answers"][run.number] = answer_images(run, run.test, folder)
            grids = _grids(run, data, folder, images["notes"])
            if grids is not None:
                images["grids"][run.number] = grids
                for scan in (*grids.drawn, *grids.mistakes):
                    images["scans"][scan.file] = scan_image(scan, folder)
        if progress is not None:
            progress(done, len(runs))
    return images


def _grids(
    run: RunFacts, data: DataFacts | None, folder: Path, notes: dict[int, str]
) -> ScanGrids | None:
    if data is None:
        notes[run.number] = "the report was made without --data."
        return None
    if split_check(run, data) == "other data":
        notes[run.number] = "the run was not trained on the given data, or on another split of it."
        return None
    return draw_scans(run, {sample.name: sample for sample in data.samples}, folder)
