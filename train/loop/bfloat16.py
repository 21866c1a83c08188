"""Whether bfloat16 is fast on this machine, and whether it damages memory.

torch computes in it everywhere, but processors without such units emulate it: on an AMD EPYC of the Zen 3 generation
the recipe of ``sae`` ran 0.5 steps a second in bfloat16 and 20 in float32, both beside other work.

Some of torch's bfloat16 kernels also write past their memory (``train.models.convolutions``). Such a run crashes later
and elsewhere, or ends with wrong weights. So before a run the model is trained for a few steps in a process of its own
whose heap is checked (``train.loop.bfloat16_probe``).
"""

import dataclasses
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS
from edge_infer.machine import machine_facts
from edge_infer.version import __version__
from train.recipe import Recipe

__all__ = ["as_fast_here", "as_safe_here"]

logger = logging.getLogger(__name__)

#: As /proc/cpuinfo names them: Intel since 2020 and AMD since Zen 4, Intel's tiles, ARM.
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}

#: -P: the folder that brain-train is called in may hold something else named ``train``.
_PROBE = ("-P", "-m", "train.loop.bfloat16_probe")
_PROBE_TIMEOUT_S = 120.0

#: glibc's own heap checks, in a library of their own since 2.34. Without that library the dynamic linker goes on, and
#: without glibc the variables mean nothing: then only a crash is noticed.
_CHECKS = {"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "128"}
_CHECKS_LIBRARY = "libc_malloc_debug.so.0"


def as_fast_here(recipe: Recipe) -> Recipe:
    """Return the recipe, with float32 (and a warning) if this machine only emulates bfloat16."""
    if not recipe.bf16 or _has_bfloat16():
        return recipe
    logger.warning(
        "this %s has no bfloat16 units: training in float32 instead, which is many times faster here; "
        "figures may differ a little from the recipe's",
        "GPU" if torch.cuda.is_available() else "processor",
    )
    return dataclasses.replace(recipe, bf16=False)


def as_safe_here(
    recipe: Recipe, model: str, cache_folder: Path, *, classes: int = len(LABELS)
) -> Recipe:
    """Return the recipe, with float32 (and a warning) if bfloat16 damages memory here.

    The result is cached: the trial runs once for a model on a machine.

    Args:
        recipe: Image sizes, sizes of the model, and whether it wants bfloat16 at all.
        model: Its name in ``train.models.MODELS``.
        cache_folder: Where the result is kept.
        classes: How many it tells apart.

    Raises:
        CannotWrite: The result cannot be kept.
    """
    if not recipe.bf16 or torch.cuda.is_available():
        return recipe
    failure = _known_failure(_facts(recipe, model, classes), cache_folder)
    if failure is None:
        return recipe
    logger.warning(
        "bfloat16 cannot be trusted with torch %s on %s: a trial of %s %s; training in float32 instead, "
        "figures may differ a little from the recipe's",
        torch.__version__,
        machine_facts()["cpu"],
        model,
        failure,
    )
    return dataclasses.replace(recipe, bf16=False)


def _has_bfloat16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not _FLAGS.isdisjoint(machine_facts()["cpu_flags"])


def _known_failure(facts: dict[str, Any], cache_folder: Path) -> str | None:
    """Return how the trial failed, or None; from the cache if it holds the same trial."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = cache_folder / f"bfloat16-{digest[:16]}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["facts"] == facts:
            failure: str | None = known["failure"]
            return failure
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not tried yet, or unreadable: try now
    logger.info("trying bfloat16 on this machine, once for this model")
    try:
        failure = _failure(_command(facts))
    except subprocess.TimeoutExpired:
        # A busy machine says nothing about the next run, so this is not cached.
        return f"did not end within {_PROBE_TIMEOUT_S:.0f} s"
    cache_folder.mkdir(parents=True, exist_ok=True)
    result = {"facts": facts, "failure": failure}
    write_bytes_atomically(path, (json.dumps(result, indent=2, sort_keys=True) + "\n").encode())
    return failure


def _facts(recipe: Recipe, model: str, classes: int = len(LABELS)) -> dict[str, Any]:
    """Return everything the result may depend on, as it is after a round trip through JSON."""
    machine = machine_facts()
    sizes = {recipe.image_size, *(size for size, _ in recipe.image_sizes)}
    facts = {
        "brain-edge": __version__,
        "torch": torch.__version__,
        "cpu": machine["cpu"],
        "cpu_flags": machine["cpu_flags"],
        "instructions": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "threads": torch.get_num_threads(),
        "model": model,
        "sizes": recipe.model,
        "image_sizes": sorted(sizes),
    }
    if classes != len(
        LABELS
    ):  # else the facts are those of results that were cached before there were other classes
        facts["classes"] = classes
    as_json: dict[str, Any] = json.loads(json.dumps(facts))
    return as_json


def _command(facts: dict[str, Any]) -> list[str]:
    return [sys.executable, *_PROBE, json.dumps(facts)]


def _failure(command: list[str]) -> str | None:
    """Run the trial with its memory checked; return how it failed, or None."""
    project = str(Path(__file__).parents[2])
    environment = {
        **os.environ,
        **_CHECKS,
        "LD_PRELOAD": _joined(" ", _CHECKS_LIBRARY, os.environ.get("LD_PRELOAD")),
        "PYTHONPATH": _joined(os.pathsep, project, os.environ.get("PYTHONPATH")),
    }
    done = subprocess.run(  # noqa: S603 - our own module in our own interpreter
        command, env=environment, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False
    )
    if done.returncode == 0:
        return None
    logger.debug("trial of bfloat16: %s", done.stderr.decode(errors="replace"))
    if done.returncode > 0:
        return f"failed with exit code {done.returncode}"
    try:
        return f"was killed by {signal.Signals(-done.returncode).name}"
    except ValueError:  # real-time signals have no name
        return f"was killed by signal {-done.returncode}"


def _joined(separator: str, first: str, others: str | None) -> str:
    return separator.join(filter(None, (first, others)))
