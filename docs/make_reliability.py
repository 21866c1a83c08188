"""Write docs/reliability.md from docs/reliability.json: no figure there is typed by hand.

    python docs/make_reliability.py

``tests/campaigns/run.py --size full`` publishes to that file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from train.metrics.figures import wilson_interval
from train.metrics.text import markdown

__all__ = ["PAGE", "RESULTS", "render", "results"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "reliability.md"
RESULTS = DOCS / "reliability.json"

_HEADER = f"""# Reliability

<!-- Written by docs/make_reliability.py; do not edit. -->

{RESEARCH_USE_ONLY}

Each promise of this project, attacked many times. Three are attacked in the same way: **our code**, which must hold;
a **negative control**, our code without the defence or with a planted fault, which must fail, because an attack that
cannot make anything fail proves nothing; and the **raw stack**, onnxruntime, Pillow and pydicom as they come. The
number of a trial decides what it does, so each can be repeated: `python tests/campaigns/run.py R4 --trial 712`.

`failed` is the number of trials in which the promise did not hold, with Wilson's 95 % interval in per cent: none in n
trials leaves room for a share of about 4/n. `make campaigns` runs every campaign at a small size, as CI does; the
figures here are of `make campaigns SIZE=full`, which goes on where it was stopped. What the measures are, and what
they do not cover, is said in [security.md](security.md).
"""

_NONE_YET = "No result has been published yet. To make one: `make campaigns SIZE=full`."
_NAMES = {"ours": "Our code", "control": "Negative control", "raw": "Raw stack"}


def results() -> dict[str, dict[str, Any]]:
    """Read the published results by id."""
    found: dict[str, dict[str, Any]] = (
        json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    )
    return found


def render() -> str:
    """Render the page."""
    found = results()
    if not found:
        return f"{_HEADER}\n{_NONE_YET}\n"
    parts = [_HEADER, "## Summary\n", *markdown(_summary(found))]
    for name, result in found.items():
        parts += _section(name, result)
    return "\n".join(parts).rstrip() + "\n"


def _summary(found: Mapping[str, dict[str, Any]]) -> list[list[str]]:
    rows = [["Campaign", "n", *(f"{name}: failed" for name in _NAMES.values()), "As promised"]]
    for name, result in found.items():
        subjects = result["subjects"]
        title = f"[{name} {result['title']}](#{_anchor(name, result)})"
        share = [_failed(subjects.get(subject)) for subject in _NAMES]
        ours = subjects["ours"]
        count = f"{ours['tries']:,} {result['unit']}"
        if ours["tries"] != ours["trials"]:
            count += f" in {ours['trials']:,} trials"
        rows.append([title, count, *share, "no" if result["faults"] else "yes"])
    return rows


def _failed(counted: Mapping[str, Any] | None) -> str:
    if counted is None:
        return "-"
    share = wilson_interval(counted["failed"], counted["trials"])
    if share.low is None or share.high is None:
        return "not run"
    return f"{counted['failed']:,} of {counted['trials']:,} ({round(100 * share.low, 9):.3g}..{100 * share.high:.3g})"


def _section(name: str, result: Mapping[str, Any]) -> list[str]:
    lines = [f"## {name} {result['title']}\n", f"{result['promise']}\n"]
    lines += [f"One trial {result['attack']}. Command: `{result['command']}`\n"]
    lines += [f"**{fault[0].upper()}{fault[1:]}.**\n" for fault in result["faults"]]
    rows = [
        ["", "What", "Trials (planned)", "Failed", "What happened", "Largest figures", "Slowest, s"]
    ]
    for subject, words in _NAMES.items():
        counted = result["subjects"].get(subject)
        if counted is None:
            continue
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in counted["kinds"].items())
        figures = ", ".join(f"{figure} {value:g}" for figure, value in counted["figures"].items())
        planned = result["planned"][subject]
        trials = f"{counted['trials']:,} ({planned:,})"
        if counted["tries"] != counted["trials"]:
            trials += f", {counted['tries']:,} single tries"
        row = [words, counted["what"], trials, _failed(counted), kinds, figures or "-"]
        rows.append([*row, f"{counted['slowest_s']:.2f}"])
    lines += markdown(rows)
    lines += _machines(result)
    ours = result["subjects"]["ours"]
    if ours["failures"]:
        lines += ["Failures of our code, the first of them:\n"]
        lines += [f"- trial {each['trial']}: {each['why']}" for each in ours["failures"]]
        lines += [""]
    return lines


def _machines(result: Mapping[str, Any]) -> list[str]:
    """Say where the trials of our code were run; they may have been added to on other days and machines."""
    said = [
        f"{part['trials']:,} trials on {part['date']}, {part['processor']}, commit {part['commit']}, "
        f"{part['seconds']:,.0f} s"
        for part in result["subjects"]["ours"]["parts"]
    ]
    return [f"Our code: {'; '.join(said)}.\n"]


def _anchor(name: str, result: Mapping[str, Any]) -> str:
    heading = f"{name} {result['title']}".lower()
    return "".join(letter for letter in heading if letter.isalnum() or letter in "- ").replace(
        " ", "-"
    )


if __name__ == "__main__":
    write_bytes_atomically(PAGE, render().encode())
