"""Take the screenshots of docs/page.md and time the page, with brain-serve behind it and a headless Chromium.

    python tests/campaigns/page_screenshots.py docs/images

What is shown may be published: the examples, and two series that are made here, one of drawn heads and one of scans of
the kit (BRISC 2025, CC BY 4.0), stacked as no scanner would. Prints a line of JSON with the times (docs/page.md).
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "helpers")]

import numpy as np  # noqa: E402 -- after the path
from chromium import Tab, browser  # noqa: E402
from dicom_files import mr_series, write_files  # noqa: E402
from page_tab import PageTab  # noqa: E402
from PIL import Image  # noqa: E402
from service_runs import Service  # noqa: E402

from edge_infer.contract import RESEARCH_USE_ONLY  # noqa: E402
from edge_infer.machine import machine_facts  # noqa: E402
from train.phantoms import phantom  # noqa: E402

EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))
KIT = ROOT / "export" / "kit" / "pictures" / "val"
#: Classes of the scans of the kit, in the order in which they are stacked.
STACKED = [*["no_tumor"] * 4, *["glioma"] * 5, *["no_tumor"] * 4]
MAX_LONG = 1500  # of a phone's page, which is long
QUALITY = 70


def main() -> None:
    """Take and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=50, help="to be timed")
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        Service("--workers", 1, log=Path(scratch) / "log") as service,
        browser(Path(scratch)) as tab,
    ):
        url = f"http://127.0.0.1:{service.port}/"
        broken = Path(scratch) / "cut-short.jpg"
        broken.write_bytes(EXAMPLES[0].read_bytes()[:3000])
        series = _series(Path(scratch) / "scans of the kit", _kit())
        abstaining = _series(Path(scratch) / "drawn heads", _drawn())
        for name, width, theme, shown in (
            ("page-light", 1280, "light", EXAMPLES[0].name),
            ("page-dark", 1280, "dark", abstaining.name),
            ("page-series", 1280, "light", series.name),
            ("page-phone", 390, "light", EXAMPLES[1].name),
            ("page-phone-dark", 390, "dark", series.name),
        ):
            page = PageTab(tab)
            page.open(url, width=width, theme=theme)
            page.drop([*EXAMPLES, broken, series, abstaining], x=100)
            page.wait_for_jobs(len(EXAMPLES) + 3)
            page.click(".entry", text=shown)
            page.value("scrollTo(0, 0), document.querySelector('#jobs').scrollTo(0, 0), null")
            page.value("new Promise(done => setTimeout(done, 300, null))")
            _save(tab, given.folder / f"{name}.webp")
        times = _times(tab, url, given.images)
    print(json.dumps({**times, **machine_facts(), "research_use_only": RESEARCH_USE_ONLY}))


def _kit() -> list[np.ndarray]:
    scans = {label: sorted((KIT / label).glob("*_ax_*.jpg")) for label in set(STACKED)}
    chosen = [scans[label][STACKED[:place].count(label)] for place, label in enumerate(STACKED)]
    return [np.asarray(Image.open(path).convert("L").resize((256, 256))) for path in chosen]


def _drawn() -> list[np.ndarray]:
    return [phantom("glioma", np.random.default_rng(seed)) for seed in range(10)]


def _series(folder: Path, slices: list[np.ndarray]) -> Path:
    as_stored = {"WindowCenter": "128", "WindowWidth": "256"}
    write_files(
        folder, mr_series(np.stack(slices).astype(np.uint16), series=folder.name, **as_stored)
    )
    return folder


def _save(tab: Tab, path: Path) -> None:
    raw = path.with_suffix(".png")
    tab.screenshot(raw)
    with Image.open(io.BytesIO(raw.read_bytes())) as image:
        image.crop((0, 0, image.width, min(image.height, MAX_LONG))).save(path, quality=QUALITY)
    raw.unlink()


def _times(tab: Tab, url: str, count: int) -> dict[str, object]:
    page = PageTab(tab)
    started = time.perf_counter()
    page.open(url)
    opened = time.perf_counter() - started
    each = []
    for number in range(count):
        started = time.perf_counter()
        page.choose([EXAMPLES[number % len(EXAMPLES)]])
        page.wait(f"document.querySelectorAll('.job.done').length === {number + 1}")
        each.append(1000 * (time.perf_counter() - started))
    return {
        "images": count,
        "page_ready_ms": round(1000 * opened),
        "first_image_ms": round(each[0]),
        "image_ms_median": round(statistics.median(each[1:])),
        "image_ms_p90": round(statistics.quantiles(each[1:], n=10)[-1]),
    }


if __name__ == "__main__":
    main()
