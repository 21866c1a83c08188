"""Many images with names of their own: hard links to the validation part of BRISC, cleaned of copies."""

import csv
import itertools
import os
import shutil
from pathlib import Path

from scale.records import TOP

__all__ = ["DATA", "link_images", "validation_images"]

DATA = Path(os.environ.get("BRAIN_EDGE_DATA", TOP.parent / "shared" / "data"))
#: So many files a folder: more slow down some file systems, and people's tools.
FOLDER_SIZE = 5000


def validation_images() -> list[Path]:
    """Return BRISC's validation images, one of each group of copies, in the manifest's order."""
    with (DATA / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["dataset"].startswith("brisc")
            and row["proposed_split"] == "val"
            and row["first_of_copies"] == "1"
            and row["label_conflict"] != "1"
        ]
    return [found for row in rows if (found := _placed(row["path"])) is not None]


def _placed(path: str) -> Path | None:
    return next((full for full in (DATA / path, DATA / "brisc2025" / path) if full.exists()), None)


def link_images(folder: Path, count: int) -> list[Path]:
    """Fill a folder with so many images, none twice under one name; what is there is kept.

    The same image comes again after a few hundred others, so that its answer is known. A link needs no room; where the
    file system has no links to there, files are copied.
    """
    sources = validation_images()
    made = []
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        part = folder / f"{number // FOLDER_SIZE:04d}"
        if number % FOLDER_SIZE == 0:
            part.mkdir(parents=True, exist_ok=True)
        target = part / f"{number:07d}{source.suffix}"
        if not target.exists():
            link(source, target)
        made.append(target)
    return made


def link(source: Path, target: Path) -> None:
    """Give a file another name, or copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
