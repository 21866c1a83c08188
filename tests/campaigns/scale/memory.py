"""Follow the memory of driver and workers over a run of many rows.

    python tests/campaigns/scale/memory.py [--rows 1000000] [--result docs/scale/memory.json]

All rows are those of damaged images, which cost next to no time: what a driver keeps of a row does not depend on what
the row says. A drawing of the curves is written beside the result.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.batch import VARIABLES, answered_units, batch_words
from scale.images import FOLDER_SIZE, link
from scale.records import TOP, circumstances, write_json
from scale.watching import MARK, end, marked, new_mark, resident_bytes
from tqdm import tqdm

WORK = TOP / "runs" / "scale" / "memory"
PARTITION = 1000
#: Some file systems allow 65,000 names for a file.
NAMES_A_FILE = 20_000


def main() -> None:
    """Run, look, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "memory.json")
    given = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    archive = damaged_images(WORK / "images", given.rows)
    output = WORK / "output"
    words = batch_words(archive, output, workers=2, partition_size=PARTITION, format="parquet")
    mark, begun, curve = new_mark(), time.monotonic(), []
    with (WORK / "log").open("wb") as said:
        process = subprocess.Popen(
            words, cwd=TOP, env={**os.environ, **VARIABLES, MARK: mark}, stdout=said, stderr=said
        )
        with tqdm(total=given.rows, unit="row") as bar:
            while process.poll() is None:
                time.sleep(1)
                answered = answered_units(output, PARTITION)
                bar.update(max(0, answered - bar.n))
                others = [resident_bytes(pid) for pid in marked(mark) if pid != process.pid]
                curve.append([answered, resident_bytes(process.pid), max(others, default=0)])
    end(mark)
    if process.returncode not in (0, 100):
        raise SystemExit((WORK / "log").read_text(errors="replace")[-2000:])
    result = {
        "circumstances": circumstances(),
        "rows": given.rows,
        "partition_size": PARTITION,
        "seconds": time.monotonic() - begun,
        **growth(curve, given.rows),
        "curve": curve[:: max(1, len(curve) // 300)],
    }
    write_json(given.result, result)
    with contextlib.suppress(ImportError):
        draw(curve, given.result.with_suffix(".png"))
    shutil.rmtree(WORK, ignore_errors=True)
    print({key: value for key, value in result.items() if key != "curve"})


def damaged_images(folder: Path, count: int) -> Path:
    """Fill a folder with names of a few damaged images."""
    for number in tqdm(range(count), unit="name"):
        part = folder / f"{number // FOLDER_SIZE:04d}"
        if number % FOLDER_SIZE == 0:
            part.mkdir(parents=True)
        if number % NAMES_A_FILE == 0:
            source = part / f"{number:07d}.png"
            source.write_bytes(b"\x89PNG\r\n\x1a\n" + number.to_bytes(4, "big"))
            continue
        link(source, part / f"{number:07d}.png")
    return folder


def growth(curve: list[list[int]], rows: int) -> dict[str, Any]:
    """Return what driver and workers held after a tenth of the rows, and at most later."""
    early = [point for point in curve if 0 < point[0] <= rows / 10]
    late = [point for point in curve if point[0] > rows / 10]
    return {
        f"{name}_{when}": max((point[place] for point in points), default=0)
        for place, name in ((1, "driver"), (2, "worker"))
        for when, points in (("first_tenth", early), ("later", late))
    }


def draw(curve: list[list[int]], path: Path) -> None:
    """Draw both curves."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 2.6))
    rows = [point[0] / 1e6 for point in curve]
    axes.plot(rows, [point[1] / 1e6 for point in curve], label="driver and scheduler")
    axes.plot(rows, [point[2] / 1e6 for point in curve], label="largest worker")
    axes.set(xlabel="million rows", ylabel="MB resident", ylim=(0, None))
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
