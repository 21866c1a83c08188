"""Write the figures of docs/drift.md from docs/drift/rates.json: no figure there is typed by hand.

    python docs/make_drift.py

The file is made by ``tests/campaigns/drift_rates.py``. Only what lies between the two marks of the page is written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically

__all__ = ["BEGIN", "END", "PAGE", "RATES", "render"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "drift.md"
RATES = DOCS / "drift" / "rates.json"
BEGIN = "<!-- From here written by docs/make_drift.py; do not edit. -->"
END = "<!-- Up to here. -->"

_NONE_YET = (
    "No result has been published yet. To make one: `python tests/campaigns/drift_rates.py`."
)
_NAMED = 3

#: What was drawn, and what there is to say of it.
_DRAWN = {
    "one image a patient": "as `brain-drift` counts series: nothing drifted, all are independent",
    "images at random": "from the same patients as the baseline: nothing drifted",
    "other patients, all their images": "many slices of each, and not known to be of one: **not as it should be used**",
    "shipped baseline, other patients": "the baseline in the bundle against images of BRISC's test part, all slices",
    "shipped baseline, other patients, all 813 images": "the same, the whole part, which is one set of images",
    "shipped baseline, one image a patient": "another mix of classes, since patients with a tumour have more slices. "
    "Not a false alarm, and why a baseline must be drawn as the window is",
}


def render() -> str:
    """Render the page: the chapters as they are, the figures anew.

    Raises:
        ValueError: The page has not each mark once.
    """
    page = PAGE.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{PAGE.name}: expected each of {BEGIN} and {END} once")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{_figures()}\n\n{END}{after}"


def _figures() -> str:
    if not RATES.is_file():
        return _NONE_YET
    rates = json.loads(RATES.read_text(encoding="utf-8"))
    return "\n".join([*_false_alarms(rates), "", *_power(rates)])


def _false_alarms(rates: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "The shipped bundle's answers to the 1,223 images of validation and test part of BRISC 2025 (one of each copy, "
        "413 patients), divided anew each time into a baseline and a window. Default limits; 95 % intervals "
        "(Wilson) of the drawing: all windows of a row are of the same images, and other hospitals are not among them. "
        f"{rates['processor']}, {rates['date']}: `python tests/campaigns/drift_rates.py`."
    )
    yield ""
    yield "| Drawn | Images in the window | Windows | Alarms (status 86) | Any sign at all |"
    yield "|---|---|---|---|---|"
    for row in rates["false_alarms"]:
        words = f"{row['name']}: {_DRAWN[row['name']]}"
        yield (
            f"| {words} | {row['n']} | {row['splits']} | {_percent(row['alarms'])} | {_percent(row['signs'])} |"
        )
    yield ""
    named = [
        f"{row['name']} ({row['n']}): {_measures(row)}"
        for row in rates["false_alarms"]
        if row["measures"] and row["alarms"]["value"] > rates["limits"]["alpha"]
    ]
    if named:
        yield "What alarmed where more than 5 % did: " + "; ".join(named) + "."


def _power(rates: Mapping[str, Any]) -> Iterator[str]:
    rows: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rates["power"]:
        rows.setdefault(row["name"], {})[row["n"]] = row
    sizes = sorted({row["n"] for row in rates["power"]})
    splits = sorted({row["splits"] for row in rates["power"]})
    yield (
        f"Planted drift: the share of windows with an alarm, of {' or '.join(map(str, splits))} each, against a "
        f"baseline of {rates['reference']} other images. Corruptions are those of [robustness.md](robustness.md) at "
        "severity 1 (hardly visible), 3 and 5 (the worst that a reader would still accept), of all images of the "
        "window unless stated. The last column names what alarmed most often."
    )
    yield ""
    shipped = {row["name"]: row for row in rates["power_of_the_shipped"]}
    last = " | ".join(f"n {n}" for n in sizes)
    yield f"| Planted | {last} | n {max(sizes)}, shipped baseline | By |"
    yield "|---" * (len(sizes) + 3) + "|"
    for name, by_size in rows.items():
        cells = [_percent(by_size[n]["alarms"]) if n in by_size else "-" for n in sizes]
        cells.append(_percent(shipped[name]["alarms"]) if name in shipped else "-")
        yield f"| {name} | {' | '.join(cells)} | {_measures(by_size[max(by_size)])} |"
    yield ""
    yield (
        "Zoom and rotation smooth an image as they resample it, which `noise` and `edges` show: a scanner that "
        "enlarges or turns heads without resampling would be found less often. What is hardly found is worth as "
        "much: mirrored heads, a weak bias field, a tenth of the images from elsewhere."
    )


def _measures(row: Mapping[str, Any]) -> str:
    names: Sequence[str] = list(row["measures"])[:_NAMED]
    return ", ".join(f"`{name}`" for name in names) or "-"


def _percent(figure: Mapping[str, Any]) -> str:
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f}..{high:.1f})"


if __name__ == "__main__":
    write_bytes_atomically(PAGE, render().encode())
