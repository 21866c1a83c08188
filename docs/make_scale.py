"""Write the figures of docs/scale.md from the results in docs/scale/: no figure there is typed by hand.

    python docs/make_scale.py

``tests/campaigns/scale/`` measures; each result holds its command. Only what lies between two marks is written.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from train.metrics.text import markdown

__all__ = ["FOLDER", "PAGE", "render", "results"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "scale.md"
FOLDER = DOCS / "scale"

_MARKS = re.compile(
    r"(<!-- docs/make_scale\.py writes (\w+) from here\. -->\n).*?(<!-- Up to here\. -->)",
    re.DOTALL,
)
_NONE_YET = "Not measured yet."
_WAYS = {
    "alone": "`predict_each` in one process",
    "pool": "pool of the standard library",
    "dask": "Dask distributed",
    "ray_actors": "Ray, actors",
    "ray_data": "Ray Data",
}
_ARCHIVES = (10**5, 10**7, 10**9)
_PARTITION = 1000
#: Beside images, of docs/scale/slices.json.
_FORMS_OF_ARCHIVES = ("DICOM, 512 x 512", "DICOM, JPEG Lossless, 512 x 512")
#: An uncompressed slice of 512 x 512 in 16 bits, with a header.
_LARGE_SLICE = 512 * 512 * 2 + 2000

Result = dict[str, Any]


def results() -> dict[str, Result]:
    """Read the published results by file name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.json"))
    }


def render() -> str:
    """Render the page: the chapters as they are, the figures anew.

    Raises:
        KeyError: The page asks for figures that nobody makes.
    """
    found = results()

    def figures(match: re.Match[str]) -> str:
        needs, make = _SECTIONS[match[2]]
        lines = make(found) if all(name in found for name in needs) else [_NONE_YET]
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
        return f"{match[1]}\n{text}\n\n{match[3]}"

    return _MARKS.sub(figures, PAGE.read_text(encoding="utf-8"))


def _engines(found: dict[str, Result]) -> list[str]:
    """Speed, memory and start of each engine."""
    rows = [
        [
            "Way",
            "Workers",
            "First answers, s",
            "Images/s",
            "Beside one process",
            "Processor time",
            "All processes",
            "Driver",
            "Worker",
            "Listens on",
        ]
    ]
    result = found["engines"]
    for row in result["summary"]:
        if not row["finished"]:
            rows.append([_WAYS[row["way"]], str(row["workers"]), *["did not finish"] * 8])
            continue
        rows.append(
            [
                _WAYS[row["way"]],
                str(row["workers"]),
                f"{row['first_s']:.1f}",
                f"{row['images_per_s']:.0f}",
                _ratio(row["images_per_s_ratio"]),
                _ratio(row["cpu_ms_per_image_ratio"]),
                f"{row['most_processes']}, {_megabytes(row['peak_bytes'])}",
                _megabytes(row["driver_peak"]),
                _megabytes(row["worker_peak"]) if row["worker_peak"] else "",
                ", ".join(row["open_addresses"]) or "nothing",
            ]
        )
    runs = sorted({row["runs"] for row in result["summary"]})
    answers = all(row["same_answers"] for row in result["summary"])
    told = (
        f"{result['setting']['images']:,} images in tasks of {result['setting']['part']}, medians of "
        f"{runs[0]} runs each; ratios to the plain process of the same round, smallest and largest in brackets. "
        "Images a second without the start, processor time of all processes with it. "
        f"{'All ways gave the same answers.' if answers else 'Answers differed.'}"
    )
    return [_where(result), "", told, "", *markdown(rows)]


def _installs(found: dict[str, Result]) -> list[str]:
    """What each engine adds on the disk, whom it calls, where it listens."""
    added = found["environments"]["added"]
    parquet = added["parquet"]["bytes"]
    rows = [["", "Adds on the disk", "besides pyarrow", "Packages", "Versions"]]
    for engine, name in (
        ("dask", "Dask distributed"),
        ("ray_core", "Ray"),
        ("ray_data", "Ray Data"),
    ):
        packages = added[engine]["packages"]
        versions = [
            f"{one[0]} {one[1]} ({one[2]})"
            for one in packages
            if one[0] in ("dask", "distributed", "ray")
        ]
        rows.append(
            [
                name,
                _megabytes(added[engine]["bytes"]),
                _megabytes(added[engine]["bytes"] - parquet),
                str(len(packages)),
                ", ".join(versions),
            ]
        )
    return [f"Measured on {found['environments']['date']}.", "", *markdown(rows)]


def _network(found: dict[str, Result]) -> list[str]:
    rows = [["", "Listens on", "Aims at", "Asks for the names"]]
    for name, seen in found["network"]["cases"].items():
        rows.append(
            [
                name,
                ", ".join(seen["listens_on"]) or "nothing",
                ", ".join(seen["addresses_elsewhere"]) or "nobody",
                ", ".join(f"`{one}`" for one in seen["names_asked"]) or "none",
            ]
        )
    return [_where(found["network"]), "", *markdown(rows)]


def _faults(found: dict[str, Result]) -> list[str]:
    result = found["faults"]
    rows = [
        ["Way", "What happens", "Runs", "Ends", "Answers that arrive", "Images answered", "Seconds"]
    ]
    order: dict[tuple[str, str], list[Result]] = {}
    for run in result["runs"]:
        order.setdefault((run["way"], run["fault"]), []).append(run)
    for (way, fault), runs in order.items():
        rows.append(
            [
                _WAYS[way],
                fault,
                str(len(runs)),
                ", ".join(sorted({_end(run) for run in runs})),
                _span([run.get("distinct", 0) for run in runs]),
                _span([run["answered"] for run in runs]),
                _span([run["total_s"] for run in runs], digits=1),
            ]
        )
    told = (
        f"{result['images']} images, {result['workers']} workers, tasks of {result['part']}. "
        "More images answered than there are: answered twice."
    )
    return [_where(result), "", told, "", *markdown(rows)]


def _end(run: Result) -> str:
    if run["fault"] == "driver killed":
        return (
            f"{run['left_after_5_s']} processes left after 5 s, {run['left_after_60_s']} after 60 s"
        )
    errors = sorted(set(run.get("errors") or ()))
    return ", ".join([run["ended"], *errors])


def _model(found: dict[str, Result]) -> list[str]:
    """The numbers of the model, and how far it is from runs that did not make it."""
    result = found["cost"]
    rows = [
        [
            "",
            "Start, s",
            "A worker's start, s",
            "Image, ms",
            "Partition, ms",
            "Runs fitted",
            "Error there",
            "Runs checked",
            "Error there",
        ]
    ]
    for kind, name in (("cpu_s", "Processor time"), ("total_s", "Time")):
        model = result["model"][kind]
        rows.append(
            [
                name,
                f"{model['start_s']:.2f}",
                f"{model['worker_s']:.2f}",
                f"{model['image_ms']:.2f}",
                f"{model['partition_ms']:.1f}",
                *(
                    cell
                    for role in ("fit", "check")
                    for cell in (
                        str(model["errors"][role]["runs"]),
                        f"{model['errors'][role]['median']:.1%}, at most {model['errors'][role]['largest']:.1%}",
                    )
                ),
            ]
        )
    controls = [run["control"] for run in result["runs"]]
    parts = {
        key: sorted(one["parts_ms"][key] for one in controls)[len(controls) // 2]
        for key in ("read", "preprocess", "inference")
    }
    alone = sorted(one["cpu_ms"] for one in controls)
    told = (
        f"Beside them, one plain process took {alone[len(alone) // 2]:.2f} ms of processor time an image "
        f"({alone[0]:.2f} to {alone[-1]:.2f}). On the clock, reading and decoding took {parts['read']:.2f} ms of "
        f"it, preprocessing and doubts {parts['preprocess']:.2f}, the graph {parts['inference']:.2f}."
    )
    return [_where(result), "", *markdown(rows), "", told]


def _archives(found: dict[str, Result]) -> list[str]:
    """What archives cost by the model."""
    cost, written = found["cost"], found["cost"]["bytes"]
    model = cost["model"]["cpu_s"]
    rows = [["Slices", *(f"{count:,}" for count in _ARCHIVES)]]

    def row(name: str, values: Iterable[str]) -> None:
        rows.append([name, *values])

    hours = [
        (count * model["image_ms"] + math.ceil(count / _PARTITION) * model["partition_ms"]) / 3.6e6
        for count in _ARCHIVES
    ]
    sizes = {"read, images as here": written["parquet"]["read"]}
    sizes["read, uncompressed 512 x 512, 16 bits"] = _LARGE_SLICE
    sizes |= {f"written, {name}": one["row"] for name, one in written.items()}
    sizes["of the plan"] = written["parquet"]["plan"]
    row("core-hours, images as here", (f"{one:,.1f}" for one in hours))
    for name in _FORMS_OF_ARCHIVES:
        ratio = found["slices"]["forms"][name]["ratio"][0]
        row(f"core-hours, {name}", (f"{ratio * one:,.1f}" for one in hours))
    for cores in (2, 32, 512):
        row(f"on {cores} such cores, images as here", (_duration(one / cores) for one in hours))
    for name, size in sizes.items():
        row(f"bytes {name}", (_bytes(count * size) for count in _ARCHIVES))
    row("partitions", (f"{math.ceil(count / _PARTITION):,}" for count in _ARCHIVES))
    told = (
        f"By the model, partitions of {_PARTITION:,}; other forms by [their ratio](#by-the-form-of-a-slice). Times "
        "are core-hours divided, if nothing else limits."
    )
    return [told, "", *markdown(rows)]


def _slices(found: dict[str, Result]) -> list[str]:
    result = found["slices"]
    rows = [["Slice", "Bytes", "Processor time, ms", "Beside the first"]]
    for name, form in result["forms"].items():
        rows.append([name, f"{form['bytes']:,.0f}", f"{form['cpu_ms']:.2f}", _ratio(form["ratio"])])
    told = f"{result['slices']} slices, medians of {result['rounds']} rounds."
    return [_where(result), "", told, "", *markdown(rows)]


def _limits(found: dict[str, Result]) -> list[str]:
    """Where an installation stops to grow: by figures of this machine."""
    driver, image_ms = found["driver"], found["cost"]["model"]["cpu_s"]["image_ms"]
    per_core = 1000 / image_ms
    rows = [["Partition", "A worker's seconds", "Workers one driver feeds", "Partitions of 10^9"]]
    for size in (10, 100, 1000, 10_000):
        seconds = size * image_ms / 1000
        rows.append(
            [
                f"{size:,}",
                f"{seconds:,.2f}",
                f"{driver['tasks_per_s'] * seconds:,.0f}",
                f"{10**9 // size:,}",
            ]
        )
    link = 1.25e9  # bytes a second of 10 Gbit/s
    small, large = found["cost"]["bytes"]["parquet"]["read"], _FORMS_OF_ARCHIVES[0]
    form = found["slices"]["forms"][large]
    flow = per_core / form["ratio"][0] * form["bytes"]
    told = (
        f"The driver took {driver['driver_cpu_ms_per_task']:.2f} ms of its processor a task and passed "
        f"{driver['tasks_per_s']:.0f} tasks a second ({driver['tasks']:,} that do nothing, {driver['workers']} "
        f"workers). A core answers {per_core:.0f} images a second, {_bytes(per_core * small)}/s as here; slices of the "
        f"form {large} {per_core / form['ratio'][0]:.0f} a second, {_bytes(flow)}/s, so {link / flow:.0f} cores fill a "
        f"link of 10 Gbit/s."
    )
    return [_where(driver), "", told, "", *markdown(rows)]


def _kills(found: dict[str, Result]) -> list[str]:
    result = found["kills"]
    kills = result["kills"]
    equal = all(result["equal"].values())
    states = ", ".join(f"{name} {count:,}" for name, count in sorted(result["states"].items()))
    ended = result["ended_after_s"]
    driver = [point[1] for point in result["memory"]]
    of_kinds = ", ".join(f"{name} {count}" for name, count in kills.items())
    same = "are byte by byte those" if equal else "**differ from those**"
    told = [
        f"{result['images']:,} images, {result['workers']} workers, partitions of {result['partition_size']:,}.",
        f"{sum(kills.values())} kills: {of_kinds}.",
        f"{result['rows']:,} rows of {result['units']:,} units: {states}.",
        f"Parquet and JSON lines {same} of the unbroken run.",
        f"After the driver's death its workers ended within {max(ended, default=0):.1f} s.",
        f"Processes left 60 s after a driver's death: {result['orphans']}.",
        f"The driver held at most {_megabytes(max(driver, default=0))}.",
    ]
    told = [f"- {line}" for line in told]
    return [_where(result), "", *told]


def _memory(found: dict[str, Result]) -> list[str]:
    result = found["memory"]
    early, late = (
        [_megabytes(result[f"{who}_{when}"]) for who in ("driver", "worker")]
        for when in ("first_tenth", "later")
    )
    told = (
        f"{result['rows']:,} rows in partitions of {result['partition_size']:,}: the driver held at most {early[0]} "
        f"in the first tenth and {late[0]} later, a worker {early[1]} and {late[1]}."
    )
    return [_where(result), "", told, "", "![Memory over a run](scale/memory.png)"]


def _where(result: Result) -> str:
    where = result["circumstances"]
    return (
        f"{where['processor']}, {where['cores']} cores, {where['date']}, load before {where['load_before']}: "
        f"`{where['command']}`"
    )


def _ratio(found: Sequence[float] | None) -> str:
    return "" if found is None else f"x {found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def _span(found: Sequence[float], *, digits: int = 0) -> str:
    low, high = min(found), max(found)
    return f"{low:.{digits}f}" if low == high else f"{low:.{digits}f} to {high:.{digits}f}"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def _duration(hours: float) -> str:
    if hours < 2:
        return f"{60 * hours:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


#: By the name in the mark: the results it needs, and who makes it.
_SECTIONS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Result]], list[str]]]] = {
    "engines": (("engines",), _engines),
    "installs": (("environments",), _installs),
    "network": (("network",), _network),
    "faults": (("faults",), _faults),
    "model": (("cost",), _model),
    "archives": (("cost", "slices"), _archives),
    "slices": (("slices",), _slices),
    "limits": (("cost", "driver", "slices"), _limits),
    "kills": (("kills",), _kills),
    "memory": (("memory",), _memory),
}


def main() -> None:
    """Write the page."""
    write_bytes_atomically(PAGE, render().encode())


if __name__ == "__main__":
    main()
