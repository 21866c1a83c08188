"""Write docs/benchmarks.md and docs/benchmarks/MODEL.md from the results beside them: no figure is typed by hand.

    python docs/make_benchmarks.py

Each result is the JSON of one ``brain-bench run``; its command stands above its tables. The first page has one line
for each model and processor, and a page for each model has all the rest.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cells import (
    NONE,
    QUALITY_HEADINGS,
    TIMING_HEADINGS,
    quality_cells,
    timing_cells,
    with_interval,
)
from benchmarks.comparison import Result, int8_slower, points, rows
from benchmarks.operator_profile import Profile, profile_table
from benchmarks.promises import verdicts
from benchmarks.text_table import NOTES, clean_line
from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["DOCS", "FOLDER", "main", "pages", "render", "results"]

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "benchmarks"

_MARK = "<!-- Written by docs/make_benchmarks.py; do not edit. -->"

_HEADER = f"""# Benchmarks

{_MARK}

{RESEARCH_USE_ONLY}

`brain-bench` loads every engine in a process of its own, drives them in turn in one run and compares medians within
that run: ratios travel between machines, milliseconds do not. The measures are MLPerf's: SingleStream (one image
after another) and Offline (batches). Accuracy is that of the test part, patients disjoint from training, with 95 %
intervals; `agrees` is the share of images with the class PyTorch gives in FP32. Peers run in environments of their
own, pinned in `benchmarks/peers/`; one that is missing is said to be missing.
"""

_SUMMARY_NOTES = """\
One line for each model and processor: one image at a time, one thread, medians in milliseconds with 95 % intervals.
INT8 and FP32 are this project's bundles, the fastest of each; the best other engine is the fastest of all others that
ran, whatever its precision. Accuracy is that of the INT8 bundle, or of FP32 where there is no INT8, on n images of the
test part. Compare within a line: the lines come from different machines and days.
"""

_SUMMARY_HEADINGS = (
    "model",
    "pixels",
    "processor",
    "INT8 ms",
    "FP32 ms",
    "PyTorch ms",
    "INT8 times PyTorch",
    "best other engine",
    "accuracy % (95 %)",
    "n",
    "INT8 MB",
    "FP32 MB",
)

#: End of the names of what ``brain-bench profile`` wrote.
_PROFILE = ".profile.json"

_NONE_YET = (
    "No run has been published yet. To make one: `brain-bench run`, see [the commands](cli.md).\n"
)

_MARKS = {None: "not measured", True: "reached", False: "**missed**"}


def results() -> dict[str, Result]:
    """Read the published results by file name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.json"))
        if not path.name.endswith(_PROFILE)
    }


def pages() -> dict[str, str]:
    """Render all pages: their text by their path below docs/."""
    by_model: dict[str, dict[str, Result]] = {}
    for name, result in results().items():
        by_model.setdefault(result["model"]["name"], {})[name] = result
    details = {
        f"benchmarks/{model}.md": _model_page(model, found) for model, found in by_model.items()
    }
    return {"benchmarks.md": render(), **details}


def render() -> str:
    """Render the first page: what is measured and how, and one line for each result."""
    found = results()
    if not found:
        return f"{_HEADER}\n{_NONE_YET}"
    notes = "\n".join(f"- {note}" for note in NOTES)
    by_model = sorted(found.values(), key=lambda result: str(result["model"]["name"]))
    table = [_SUMMARY_HEADINGS, *map(_summary_cells, by_model)]
    return "\n".join(
        [_HEADER, f"{notes}\n", "## Summary\n", _SUMMARY_NOTES, *_table(table), *_machines(found)]
    )


def _summary_cells(result: Result) -> tuple[str, ...]:
    model, found = result["model"], rows(result, next(iter(result["threads"])))
    int8, fp32 = _fastest_of_ours(found, "int8"), _fastest_of_ours(found, "fp32")
    torch = next((row for row in found if row["name"] == "torch" and not row["missing"]), None)
    other = next((row for row in found if row["family"] != "ours" and not row["missing"]), None)
    accuracy = ((int8 or fp32 or {}).get("accuracy") or {}).get("accuracy")
    return (
        f"[{model['name']}](benchmarks/{model['name']}.md)",
        str(model["image_size"]["width"]),
        result["environment"]["cpu"],
        _median(int8),
        _median(fp32),
        _median(torch),
        timing_cells(int8)[5] if int8 else NONE,
        f"{other['name']} {_median(other)}" if other else NONE,
        with_interval(accuracy, 100, 2),
        str(accuracy["n"]) if accuracy else NONE,
        quality_cells(int8)[6] if int8 else NONE,
        quality_cells(fp32)[6] if fp32 else NONE,
    )


def _fastest_of_ours(found: Sequence[dict[str, Any]], precision: str) -> dict[str, Any] | None:
    """Return the first such row: ``rows`` gives the fastest first."""
    ours = (row for row in found if row["family"] == "ours" and row["precision"] == precision)
    return next((row for row in ours if not row["missing"]), None)


def _median(row: dict[str, Any] | None) -> str:
    return timing_cells(row)[1] if row else NONE


def _machines(found: dict[str, Result]) -> Iterator[str]:
    yield "The processors:\n"
    yield from dict.fromkeys(
        f"- {environment['cpu']}: {', '.join(environment['cpu_flags'])}; "
        f"{environment['usable_cores']} cores."
        for environment in (result["environment"] for result in found.values())
    )
    yield ""


def _model_page(model: str, found: dict[str, Result]) -> str:
    profiles = [
        _profile(path)
        for path in sorted(FOLDER.glob(f"*{_PROFILE}"))
        if path.name.removesuffix(_PROFILE) in found
    ]
    head = f"# Benchmarks of {model}\n\n{_MARK}\n\n{RESEARCH_USE_ONLY}\n"
    told = "How it is measured, what the columns mean and the other models: [benchmarks](../benchmarks.md).\n"
    sections = [_section(name, result) for name, result in found.items()]
    return "\n".join([head, told, *sections, *profiles])


def _section(name: str, result: Result) -> str:
    model = result["model"]
    size = model["image_size"]
    lines = [
        f"## {name}: {model['name']} at {size['height']} x {size['width']}\n",
        _where(result),
        f"`{result['command']}`\n",
        f"**{clean_line(result)}.**\n",
        *(f"**{line}.**\n" for line in int8_slower(result)),
    ]
    if any(points(result, threads) for threads in result["threads"]):
        lines.append(f"![Latency against accuracy, {name}]({name}.svg)\n")
    for threads, measured in result["threads"].items():
        peaks = ", ".join(
            f"{precision.upper()} {peak['gops_best']:.0f} GOP/s"
            for precision, peak in measured["peaks"].items()
        )
        lines.append(f"### {name}: {threads} thread{'' if threads == '1' else 's'}\n")
        lines += _table([TIMING_HEADINGS, *(timing_cells(row) for row in rows(result, threads))])
        lines.append(f"The machine's best: {peaks}.\n")
    first = next(iter(result["threads"]))
    lines.append(f"### {name}: answers and sizes\n")
    lines += _table([QUALITY_HEADINGS, *map(quality_cells, rows(result, first))])
    lines += _cold(name, result)
    judged = [(it.what, it.reach, it.found or "-", _MARKS[it.reached]) for it in verdicts(result)]
    if judged:
        lines.append(f"### {name}: what was promised\n")
        lines += _table([("promise", "reach", "measured", "verdict"), *judged])
    lines.append(f"### {name}: what each engine is\n")
    lines += [f"- {engine}: {it['title']}." for engine, it in result["engines"].items()]
    return "\n".join([*lines, ""])


def _profile(path: Path) -> str:
    facts = json.loads(path.read_text(encoding="utf-8"))
    profiles = [Profile.from_json(it) for it in facts["profiles"]]
    first, environment = profiles[0], facts["environment"]
    lines = [
        f"## {path.name.removesuffix(_PROFILE)}: where the time goes\n",
        f"`{facts['command']}`\n",
        "Milliseconds in the kernels of each operator for one image, by the names they have once fused.",
        f"{first.threads} thread(s), medians of {first.runs} runs, the graphs in turn; {environment['cpu']},",
        f"onnxruntime {environment['versions']['onnxruntime']}, load before {facts['load_before']:.2f}.\n",
        *(f"- {number}: `{it.title}`" for number, it in enumerate(profiles, start=1)),
        "",
        *_table(profile_table(profiles)),
    ]
    return "\n".join([*lines, ""])


def _where(result: Result) -> str:
    environment = result["environment"]
    return (
        f"{environment['cpu']} ({', '.join(environment['cpu_flags'])}), {environment['usable_cores']} cores, "
        f"{environment['system']}, "
        f"Python {environment['python']}; {result['made_on']}, commit {environment['commit'] or 'unknown'}; "
        f"n {result['settings']['rounds']} rounds.\n"
    )


def _cold(name: str, result: Result) -> Iterator[str]:
    if not result["cold_start"]:
        return
    yield f"### {name}: from a new process to the first answer\n"
    table = [("engine", "median ms", "least ms", "n", "memory MB")]
    for engine, it in result["cold_start"].items():
        if "error" in it:
            table.append((engine, f"missing: {it['error']}", "", "", ""))
            continue
        memory = it["peak_memory_bytes"]
        shown = f"{memory / 1e6:.0f}" if memory else "-"
        table.append((engine, f"{it['p50_ms']:.0f}", f"{it['min_ms']:.0f}", str(it["n"]), shown))
    yield from _table(table)


def _table(table: Sequence[Sequence[str]]) -> list[str]:
    head, *body = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table]
    return [head, "|" + "---|" * len(table[0]), *body, ""]


def main() -> None:
    """Draw the images and write the pages."""
    from benchmarks.plot import plot_trade_off

    FOLDER.mkdir(exist_ok=True)
    for stem, given in results().items():
        for image in plot_trade_off(given, FOLDER / stem):
            if image.suffix == ".png":
                image.unlink()  # the page shows the SVG
    for name, text in pages().items():
        write_bytes_atomically(DOCS / name, text.encode())


if __name__ == "__main__":
    main()
