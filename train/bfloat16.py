"""Whether bfloat16 is worth autocasting to on this machine.

torch computes in it everywhere, but processors without such units imitate it: on an AMD EPYC of the Zen 3 kind the
recipe of ``sae`` made 0.5 steps a second so and 20 in float32, other work beside it both times.
"""

import dataclasses
import logging

import torch

from edge_infer.machine import machine_facts
from train.recipe import Recipe

__all__ = ["as_fast_here"]

logger = logging.getLogger(__name__)

#: As /proc/cpuinfo names them: Intel since 2020 and AMD since Zen 4, Intel's tiles, ARM.
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def as_fast_here(recipe: Recipe) -> Recipe:
    """Return the recipe, with float32 in place of a bfloat16 that is only imitated here, which is said."""
    if not recipe.bf16 or _has_bfloat16():
        return recipe
    logger.warning(
        "this processor has no bfloat16 units: training in float32 instead, which is many times faster here; "
        "figures may differ a little from those of the recipe"
    )
    return dataclasses.replace(recipe, bf16=False)


def _has_bfloat16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not _FLAGS.isdisjoint(machine_facts()["cpu_flags"])
