"""Everything that is not timed: graphs, answers on the test part, sizes. Slow, so all of it is cached."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import agreement, answers_of, figures
from benchmarks.artifacts import engine_config, model_files, plain_graph
from benchmarks.engines import Engine
from benchmarks.install_size import bare_install_bytes
from benchmarks.macs import count_macs
from benchmarks.measure import Contender
from benchmarks.peer_environments import peer_python, site_packages_bytes
from benchmarks.study import Study
from benchmarks.worker_process import Worker
from edge_infer.errors import BrainError, BundleIncompatible
from edge_infer.machine import usable_cores
from train.data.samples import Progress

__all__ = ["Bar", "Prepared", "prepare", "refuse_other_weights"]

#: Largest difference of logits between FP32 engines of one checkpoint; rounding alone gives 1e-5.
_SAME_WEIGHTS = 1e-2

#: Opens a progress bar with this label.
Bar = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that is not timed, and the engines that can be timed.

    Attributes:
        study: The model.
        engines: All requested engines, by name.
        facts: Of each engine: title, precision, sizes, accuracy; ``missing`` with the reason if it cannot run.
        contenders: The engines that can run.
        macs: Multiply-accumulates of one image, by operator of the plain export.
        install_bytes: Of the bare installation; empty if it failed.
    """

    study: Study
    engines: dict[str, Engine]
    facts: dict[str, dict[str, Any]] = field(repr=False)
    contenders: tuple[Contender, ...] = field(repr=False)
    macs: dict[str, int]
    install_bytes: dict[str, int]


def prepare(
    study: Study,
    engines: Sequence[Engine],
    *,
    threads: Sequence[int],
    peers: Path,
    kept: Path,
    with_accuracy: bool,
    bar: Bar,
    say: Callable[[str], None],
) -> Prepared:
    """Make graphs, ask every engine for its answers on the test part, measure sizes. All of it is cached.

    Args:
        study: The model.
        engines: The engines to measure.
        threads: Numbers of threads to measure with.
        peers: Folder of the peers' environments.
        kept: Folder for results cached between runs.
        with_accuracy: Whether to ask for answers on the test part.
        bar: Opens a progress bar.
        say: Called with a line about each step.
    """
    facts: dict[str, dict[str, Any]] = {}
    contenders: list[Contender] = []
    answers: dict[str, NDArray[np.float64]] = {}
    for engine in engines:
        facts[engine.name] = _described(engine)
        try:
            python = peer_python(engine.peer, peers) if engine.peer else None
            say(f"preparing {engine.name}")
            config = engine_config(engine, study, peers)
            files = model_files(engine, study, peers)
            if files:
                facts[engine.name]["model_bytes"] = sum(path.stat().st_size for path in files)
            if engine.peer:
                facts[engine.name]["install_bytes"] = site_packages_bytes(peers / engine.peer)
            contender = Contender(
                name=engine.name, config=config, python=python, batches=engine.batches
            )
            _warm_up(engine, contender, threads)
            if with_accuracy and study.test is not None:
                with bar(f"{engine.name}: test part") as progress:
                    answers[engine.name] = answers_of(
                        engine,
                        config,
                        files,
                        study.test,
                        kept / "answers",
                        python=python,
                        threads=usable_cores(),
                        progress=progress,
                    )
        except BrainError as error:
            facts[engine.name]["missing"] = str(error)
            say(f"{engine.name} is missing: {error}")
            continue
        contenders.append(contender)
    if study.test is not None:
        say("computing intervals")
        for engine in engines:
            if engine.name not in answers:
                continue
            logits, facts_here = answers[engine.name], facts[engine.name]
            facts_here["accuracy"] = figures(
                logits, study.test, engine.temperature, kept / "answers"
            )
            if "torch" in answers and engine.name != "torch" and not engine.own_preprocessing:
                found = agreement(logits, answers["torch"], study.test.labels)
                refuse_other_weights(engine, found)
                facts_here["against_torch"] = found
    return Prepared(
        study=study,
        engines={engine.name: engine for engine in engines},
        facts=facts,
        contenders=tuple(contenders),
        macs=_macs(study, peers, say),
        install_bytes=_install_bytes(kept, say),
    )


def _described(engine: Engine) -> dict[str, Any]:
    return {
        "family": engine.family,
        "title": engine.title,
        "precision": engine.precision,
        "own_preprocessing": engine.own_preprocessing,
    }


def refuse_other_weights(engine: Engine, found: dict[str, Any]) -> None:
    """Refuse a bundle of other weights: it cannot be compared with engines of this checkpoint.

    Args:
        engine: The engine; only our FP32 bundles are checked.
        found: Its ``agreement`` with PyTorch.

    Raises:
        BundleIncompatible: The logits differ by more than rounding.
    """
    difference = found["max_abs_logit_difference"]
    if engine.family == "ours" and engine.precision == "fp32" and difference > _SAME_WEIGHTS:
        raise BundleIncompatible(
            f"{engine.name}: logits differ from the checkpoint's by up to {difference:.2g}, "
            f"expected at most {_SAME_WEIGHTS}: it has other weights",
            hint="export this checkpoint again, or pass the bundle's own with --checkpoint",
        )


def _warm_up(engine: Engine, contender: Contender, threads: Sequence[int]) -> None:
    """Compile for each number of threads; the compiler caches its output, so the timed run does not wait for it."""
    if engine.family != "compile":
        return
    for count in threads:
        with Worker(engine.name, contender.config, threads=count) as worker:
            worker.ask("load")
            worker.ask("query", n=0, untimed=1)


def _macs(study: Study, peers: Path, say: Callable[[str], None]) -> dict[str, int]:
    try:
        return count_macs(plain_graph(study, peers))
    except BundleIncompatible as error:
        say(f"multiply-accumulates cannot be counted: {error}")
        return {}


def _install_bytes(kept: Path, say: Callable[[str], None]) -> dict[str, int]:
    try:
        return bare_install_bytes(kept)
    except BrainError as error:
        say(str(error))
        return {}
