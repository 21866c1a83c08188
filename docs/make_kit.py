"""Choose the kit: a few hundred images of BRISC 2025 to calibrate and judge INT8 models without a data set.

    python docs/make_kit.py ../shared/data

Writes export/kit/pictures and export/kit/manifest.csv. Calibration images come from the train part of the
patient-disjoint split, the same number of each class and as many groups (patients) as there are; judging images are
the validation part, one of each copy. There is nothing of the test part, nothing of BRISC's own test folder, no label
conflict. The files are those of the data set, byte for byte, so both give the very same pixel values.
"""

import csv
import shutil
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from edge_infer.contract import LABELS
from train.data.manifest_csv import COLUMNS

KIT = Path(__file__).parents[1] / "export" / "kit"
CALIBRATION_PER_CLASS = 48
SEED = 17
#: The kit does not need the names of patients; ``group`` says what belongs together.
LEFT_OUT = {"patient_id"}

Row = dict[str, str]


def usable(rows: list[Row], part: str) -> list[Row]:
    """Take what may be in the kit, of one part of the split."""
    return [
        row
        for row in rows
        if row["dataset"] == "brisc2025"
        and row["proposed_split"] == part
        and row["official_split"] == "train"
        and row["first_of_copies"] == "1"
        and row["label_conflict"] == "0"
    ]


def spread(rows: list[Row], count: int, generator: np.random.Generator) -> list[Row]:
    """Take one image of each group in turn until there are enough."""
    by_group: dict[str, list[Row]] = defaultdict(list)
    for index in generator.permutation(len(rows)):
        by_group[rows[index]["group"]].append(rows[index])
    turns = sorted(
        (
            (turn, place)
            for place, group in enumerate(by_group.values())
            for turn in range(len(group))
        )
    )
    groups = list(by_group.values())
    return [groups[place][turn] for turn, place in turns[:count]]


def main(data: Path) -> None:
    """Write the kit anew."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    generator = np.random.default_rng(SEED)
    train = usable(rows, "train")
    chosen = [
        row
        for label in LABELS
        for row in spread(
            [row for row in train if row["label"] == label], CALIBRATION_PER_CLASS, generator
        )
    ]
    chosen += usable(rows, "val")
    chosen.sort(key=lambda row: (row["proposed_split"], row["path"]))
    shutil.rmtree(KIT / "pictures", ignore_errors=True)
    with (KIT / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        columns = [column for column in COLUMNS if column not in LEFT_OUT]
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in chosen:
            path = Path("pictures", row["proposed_split"], row["label"], Path(row["path"]).name)
            (KIT / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / row["path"], KIT / path)
            writer.writerow({**row, "path": path.as_posix()})
    print(f"{len(chosen)} images in {KIT}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
