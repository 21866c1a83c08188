"""Write docs/benchmarks.md and its images from the results in docs/benchmarks/: no figure there is typed by hand.

    python docs/make_benchmarks.py

Each file is the JSON of one ``brain-bench run``; its command stands above its tables.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.cells import QUALITY_HEADINGS, TIMING_HEADINGS, quality_cells, timing_cells
from benchmarks.comparison import Result, int8_slower, points, rows
from benchmarks.operator_profile import Profile, profile_table
from benchmarks.targets import verdicts
from benchmarks.text_table import NOTES, clean_line
from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["FOLDER", "PAGE", "render", "results"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "benchmarks.md"
FOLDER = DOCS / "benchmarks"

_HEADER = f"""# Benchmarks

<!-- Written by docs/make_benchmarks.py; do not edit. -->

{RESEARCH_USE_ONLY}

`brain-bench` loads every engine in a process of its own, drives them in turn in one run and compares medians within
that run: ratios travel between machines, milliseconds do not. The measures are MLPerf's: SingleStream (one image
after another) and Offline (batches). Accuracy is that of the test part, patients disjoint from training, with 95 %
intervals; `agrees` is the share of images with the class PyTorch gives in FP32. Peers run in environments of their
own, pinned in `benchmarks/peers/`; one that is missing is said to be missing.
"""

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


def render() -> str:
    """Render the page."""
    found = results()
    if not found:
        return f"{_HEADER}\n{_NONE_YET}"
    notes = "\n".join(f"- {note}" for note in NOTES)
    sections = [_section(name, it) for name, it in found.items()]
    return "\n".join([_HEADER, f"{notes}\n", *sections, *_profiles()])


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
        lines.append(f"![Latency against accuracy, {name}](benchmarks/{name}.svg)\n")
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


def _profiles() -> Iterator[str]:
    for path in sorted(FOLDER.glob(f"*{_PROFILE}")):
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
        yield "\n".join([*lines, ""])


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


if __name__ == "__main__":
    from benchmarks.plot import plot_trade_off

    FOLDER.mkdir(exist_ok=True)
    for stem, given in results().items():
        for image in plot_trade_off(given, FOLDER / stem):
            if image.suffix == ".png":
                image.unlink()  # the page shows the SVG
    write_bytes_atomically(PAGE, render().encode())
