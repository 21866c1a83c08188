"""Where slices lie along their normal: which lie at one place, and how far apart the places usually are.

Two time points of one series often differ by a few hundredths of a millimetre; these are no thin slices between thick
ones.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

__all__ = ["GAP", "steps_mm", "usual_step_mm"]

#: A step longer than this times the usual one is a gap.
GAP = 1.5

#: No slices of a living head are nearer; headers round, and scanners move.
_NEAREST_MM = 0.1
#: Nearer than this share of the usual step is one place.
_SHARE = 0.1
#: Slices so thin are made: where most steps are as short as this, they are no copies of one place.
_THINNEST_MM = 1.0
#: So many long steps show that slices lie so far apart, and that the short ones are repetitions.
_LEAST_STEPS = 3
_EVEN = 1.5


def _same_place_mm(places: Sequence[float]) -> float:
    """Return how near two slices of a series must be to count as one place.

    Args:
        places: Rising, mm.
    """
    steps = sorted(b - a for a, b in pairwise(places) if b - a >= _NEAREST_MM)
    if not steps:
        return _NEAREST_MM
    usual = median(steps)
    # Repetitions make most steps short: then the usual one is that which most of the way is made of.
    limit = min(_SHARE * _step_of_most_of_the_way(steps), _THINNEST_MM)
    longer = [step for step in steps if step >= limit]
    if len(longer) >= _LEAST_STEPS and _is_even(longer):
        return max(_NEAREST_MM, _SHARE * usual, limit)
    return max(_NEAREST_MM, _SHARE * usual)


def usual_step_mm(places: Sequence[float]) -> float:
    """Return how far apart places usually are; 0 if all lie at one.

    Args:
        places: Rising, mm.
    """
    steps = [step for step in steps_mm(places) if step > 0]
    return median(steps) if steps else 0.0


def steps_mm(places: Sequence[float]) -> list[float]:
    """Return the step to each place but the first; 0 where it is the place of the slice before."""
    nearest = _same_place_mm(places)
    steps, here = [], places[0] if places else 0.0
    for before, place in pairwise(places):
        if place - before < nearest and place - here < 2 * nearest:
            steps.append(0.0)
        else:
            steps.append(place - here)
            here = place
    return steps


def _step_of_most_of_the_way(steps: Sequence[float]) -> float:
    half, way = sum(steps) / 2, 0.0
    for step in steps:
        way += step
        if way >= half:
            return step
    return steps[-1]


def _is_even(steps: Sequence[float]) -> bool:
    middle = median(steps)
    near = sum(middle / _EVEN <= step <= middle * _EVEN for step in steps)
    return 2 * near > len(steps)
