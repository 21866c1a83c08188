"""The time that each operator of a graph takes: onnxruntime's own profile of its nodes, added up by operator."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.bundle import load_bundle
from edge_infer.bundle_session import open_bundle_session
from edge_infer.contract import INPUT_NAME
from edge_infer.errors import BrainError, BundleIncompatible
from edge_infer.graph_facts import graph_facts
from edge_infer.runtime import import_onnxruntime

__all__ = ["Operator", "Profile", "profile_graphs", "profile_table"]

_WARM_UP = 3
_ERRORS_ONLY = 3
_KERNEL = "_kernel_time"
_HINT = "name the folder of a bundle, or an .onnx file like the one in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """All nodes of one operator, after onnxruntime's fusions.

    Attributes:
        name: Such as ``QGemm``.
        nodes: Number of such nodes in the graph.
        ms: Their time for one image: the median of each node over the runs, added up.
    """

    name: str
    nodes: int
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The profile of one graph.

    Attributes:
        title: Its name in tables.
        runs: Number of images the medians are taken over.
        threads: Within one operator.
        operators: The costliest first.
    """

    title: str
    runs: int
    threads: int
    operators: tuple[Operator, ...] = field(repr=False)

    @property
    def ms(self) -> float:
        """Time in all kernels for one image, without the time between kernels."""
        return sum(operator.ms for operator in self.operators)

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "Profile":
        """Make a profile from what ``as_json`` returned."""
        return cls(
            title=facts["title"],
            runs=facts["runs"],
            threads=facts["threads"],
            operators=tuple(Operator(**operator) for operator in facts["operators"]),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fields as they are written to a file."""
        return {**asdict(self), "ms": self.ms}


def profile_graphs(
    graphs: Sequence[tuple[str, Path]],
    *,
    runs: int,
    threads: int,
    run_done: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Profile]:
    """Profile graphs side by side, one image of each in turn, so that they can be compared.

    Profiling itself takes time, most where a graph has many small nodes: shares tell more than sums.

    Args:
        graphs: Title and ONNX file of each, with the contract's input of a fixed height and width. A bundle's file
            runs with the options of the runtime; any other file runs with onnxruntime's defaults, as in other
            programs.
        runs: Images that each graph is given. They are random: the time does not depend on what they show.
        threads: Within one operator.
        run_done: Told how many of how many runs are done.

    Raises:
        BundleIncompatible: A file is not an ONNX graph, or its input is another one.
    """
    for _, path in graphs:
        _check_input(path)
    with tempfile.TemporaryDirectory() as folder:
        opened = [
            _open(path, threads, Path(folder) / str(number))
            for number, (_, path) in enumerate(graphs)
        ]
        for run in range(_WARM_UP + runs):
            for graph in opened:
                graph.run()
            run_done(run + 1, _WARM_UP + runs)
        events = [json.loads(graph.end_profiling().read_text()) for graph in opened]
    return [
        Profile(title=title, runs=runs, threads=threads, operators=_operators(found))
        for (title, _), found in zip(graphs, events, strict=True)
    ]


def profile_table(profiles: Sequence[Profile]) -> list[tuple[str, ...]]:
    """Return headings and rows: each operator's nodes, milliseconds and share in each graph, and their sums.

    Graphs are numbered from 1: their titles are paths, too wide for a column.
    """
    found = [{operator.name: operator for operator in profile.operators} for profile in profiles]
    names = sorted(
        {name for each in found for name in each},
        key=lambda name: -max(each[name].ms for each in found if name in each),
    )
    numbers = range(1, len(profiles) + 1)
    headings = [cell for number in numbers for cell in (f"nodes {number}", "ms", "share")]
    table = [("operator", *headings)]
    for name in names:
        cells: list[str] = []
        for profile, each in zip(profiles, found, strict=True):
            operator = each.get(name)
            cells += _cells(operator.nodes, operator.ms, profile.ms) if operator else ("", "", "")
        table.append((name, *cells))
    sums: list[str] = []
    for profile in profiles:
        sums += _cells(sum(it.nodes for it in profile.operators), profile.ms, profile.ms)
    return [*table, ("all", *sums)]


def _cells(nodes: int, ms: float, whole: float) -> tuple[str, str, str]:
    return str(nodes), f"{ms:.2f}", f"{100 * ms / whole:.1f} %"


def _check_input(path: Path) -> None:
    """Refuse a file before onnxruntime does: its message would be followed by one about a profile that is missing."""
    try:
        inputs = graph_facts(path.read_bytes()).inputs
    except BrainError as error:
        raise BundleIncompatible(f"{path}: {error.message}", hint=_HINT) from error
    if inputs != (INPUT_NAME,):
        raise BundleIncompatible(
            f"{path}: takes {', '.join(inputs) or 'nothing'}, not {INPUT_NAME}", hint=_HINT
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A graph that is being profiled.

    Attributes:
        run: Gives the graph one image.
        end_profiling: Returns the file with the profile.
    """

    run: Callable[[], object]
    end_profiling: Callable[[], Path]


def _open(path: Path, threads: int, prefix: Path) -> _Opened:
    """Open a graph with onnxruntime's profiler on; the profile's path begins with ``prefix``."""
    if (path.parent / "manifest.json").is_file():
        return _open_as_the_runtime_does(path.parent, threads, prefix)
    return _open_as_other_programs_do(path, threads, prefix)


def _open_as_the_runtime_does(folder: Path, threads: int, prefix: Path) -> _Opened:
    bundle = load_bundle(folder)
    session = open_bundle_session(bundle, num_threads=threads, profile_prefix=prefix)
    image = _image(bundle.preprocessor.height, bundle.preprocessor.width)
    return _Opened(run=lambda: session.run(image), end_profiling=session.end_profiling)


def _open_as_other_programs_do(path: Path, threads: int, prefix: Path) -> _Opened:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {INPUT_NAME: _image(*session.get_inputs()[0].shape[2:])}
    return _Opened(
        run=lambda: session.run(None, feeds), end_profiling=lambda: Path(session.end_profiling())
    )


def _image(height: int, width: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).standard_normal((1, 3, height, width))
    return noise.astype(np.float32)


def _operators(events: Sequence[dict[str, Any]]) -> tuple[Operator, ...]:
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            taken[event["args"]["op_name"], event["name"]].append(event["dur"] / 1000)
    by_operator: dict[str, list[float]] = defaultdict(list)
    for (operator, _), times in taken.items():
        by_operator[operator].append(median(times[_WARM_UP:]))
    found = [
        Operator(name=name, nodes=len(times), ms=sum(times)) for name, times in by_operator.items()
    ]
    return tuple(sorted(found, key=lambda operator: -operator.ms))
