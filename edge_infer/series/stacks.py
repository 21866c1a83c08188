"""Slices of one series that belong together, in order of position: never three planes in one stack.

Positions come from the header. Instance Number and file names are not asked: both are often wrong, or of another order.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from edge_infer.names import counted
from edge_infer.scan_slice import ScanSlice
from edge_infer.series.places import GAP, steps_mm, usual_step_mm

__all__ = ["UNSEEN_TUMOUR", "Stack", "stacks_of"]

#: What a warning about wide steps says; of classes that are no tumours it is said otherwise.
UNSEEN_TUMOUR = "a tumour between two is not seen"

#: Directions that differ by less than a degree are one.
_SAME_DIRECTION = float(np.cos(np.radians(1.0)))
#: Steps above it pass by what the models were measured on, volumes of 6.5 mm; a small tumour lies between two slices.
_WIDE_STEP_MM = 10.0
#: Echo times that differ by less, in ms and in share, are of one echo.
_SAME_TIME_MS, _SAME_TIME_SHARE = 0.3, 0.02
_NAMED_GAPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Slices of one direction, size, echo and kind, in order of position.

    Attributes:
        slices: At least one.
        has_places: Whether each lies at a place of its own; False if the header does not say.
        gaps: Indices of slices that lie behind a gap.
        warnings: What is amiss with the positions.
    """

    slices: tuple[ScanSlice, ...]
    has_places: bool
    gaps: frozenset[int]
    warnings: tuple[str, ...]


def stacks_of(slices: Sequence[ScanSlice]) -> list[Stack]:
    """Divide the slices of one series into stacks, the largest first.

    Copies of a slice, which have its identifier and its place or its content, are left out and counted.
    """
    once, copies = _without_copies(slices)
    groups = [list(once)]
    for differs in (_by_kind, _by_size, _by_direction, _by_time):
        groups = [part for group in groups for part in differs(group)]
    groups.sort(key=lambda group: -len(group))  # stable: equal ones stay as they were found
    stacks = [_in_order(group, groups) for group in groups]
    if copies and stacks:
        words = (
            f"left out as copies: {counted(copies, 'slice')} with identifier and place of another"
        )
        stacks[0] = replace(stacks[0], warnings=(*stacks[0].warnings, words))
    return stacks


def _without_copies(slices: Sequence[ScanSlice]) -> tuple[list[ScanSlice], int]:
    """Return the slices without those that are another one's copy, and how many these were.

    One identifier is not enough: software that makes data anonymous gives it to all slices of a series.
    """
    seen: set[object] = set()
    kept = []
    for one in slices:
        named, lies = one.identity, one.geometry
        # A volume has no identifiers; the same file may be given twice.
        uid = (named.sop_instance_uid, named.frame_number, named.patient) if named else (one.name,)
        same: list[object] = [(uid, one.sha256)] if one.sha256 else []
        if named is not None and named.sop_instance_uid and lies is not None:
            place = (lies.plane, round(lies.position_mm, 2))
            same.append((uid, place, one.size, one.acquisition))
        if not any(key in seen for key in same):
            kept.append(one)
        seen.update(same)
    return kept, len(slices) - len(kept)


def _shared_identifiers(slices: Sequence[ScanSlice]) -> int:
    """Return how many slices bear an identifier that another one has."""
    uids = Counter(
        (one.identity.sop_instance_uid, one.identity.frame_number)
        for one in slices
        if one.identity and one.identity.sop_instance_uid
    )
    return sum(count for count in uids.values() if count > 1)


def _by_kind(group: list[ScanSlice]) -> list[list[ScanSlice]]:
    return _by(
        group,
        lambda one: (
            one.acquisition.modality,
            one.acquisition.image_type,
            one.acquisition.scanning_sequence,
        ),
    )


def _by_size(group: list[ScanSlice]) -> list[list[ScanSlice]]:
    return _by(group, lambda one: one.size)


def _by(group: list[ScanSlice], key: Callable[[ScanSlice], object]) -> list[list[ScanSlice]]:
    parts: dict[object, list[ScanSlice]] = {}
    for one in group:
        parts.setdefault(key(one), []).append(one)
    return list(parts.values())


def _by_direction(group: list[ScanSlice]) -> list[list[ScanSlice]]:
    parts: list[tuple[tuple[str, str] | None, np.ndarray | None, list[ScanSlice]]] = []
    for one in group:
        lies = one.geometry
        view = None if lies is None else (lies.plane, lies.shown)
        normal = None if lies is None else np.array(lies.normal)
        for of_part, direction, members in parts:
            if of_part == view and (
                normal is None or direction is None or float(direction @ normal) >= _SAME_DIRECTION
            ):
                members.append(one)
                break
        else:
            parts.append((view, normal, [one]))
    return [members for _, _, members in parts]


def _by_time(group: list[ScanSlice]) -> list[list[ScanSlice]]:
    parts = _by_one_time(group, _echo_time)
    return [smaller for part in parts for smaller in _by_one_time(part, _inversion_time)]


def _by_one_time(
    group: list[ScanSlice], time_of: Callable[[ScanSlice], float | None]
) -> list[list[ScanSlice]]:
    times = sorted({time for one in group if (time := time_of(one)) is not None})
    starts = [
        later
        for earlier, later in pairwise(times)
        if later - earlier > max(_SAME_TIME_MS, _SAME_TIME_SHARE * later)
    ]
    return _by(group, lambda one: _cluster(time_of(one), starts))


def _echo_time(one: ScanSlice) -> float | None:
    return one.acquisition.echo_time_ms


def _inversion_time(one: ScanSlice) -> float | None:
    return one.acquisition.inversion_time_ms


def _cluster(time: float | None, starts: Sequence[float]) -> int | None:
    return None if time is None else sum(time >= start for start in starts)


def _in_order(group: list[ScanSlice], groups: list[list[ScanSlice]]) -> Stack:
    warnings: list[str] = []
    if len(groups) > 1:
        number = groups.index(group) + 1
        warnings.append(
            f"its series holds {len(groups)} stacks that differ in direction, size, echo or kind; "
            f"this is stack {number}, of {counted(len(group), 'slice')}"
        )
    if any(one.geometry is None for one in group):
        warnings.append("the header does not say where the slices lie; they are in order of name")
        warnings += _shared_words(group)
        named = sorted(group, key=_name_and_frame)
        return Stack(
            slices=tuple(named), has_places=False, gaps=frozenset(), warnings=tuple(warnings)
        )
    ordered = sorted(group, key=lambda one: (_place(one), _name_and_frame(one)))
    places = [_place(one) for one in ordered]
    steps = steps_mm(places)
    doubles = steps.count(0.0)
    usual = usual_step_mm(places)
    gaps = [number + 1 for number, step in enumerate(steps) if step > GAP * usual > 0]
    if doubles:
        warnings.append(
            f"{counted(doubles, 'slice')} at a place that another one has; copies, time points or other contrasts "
            "in one series cannot be told apart"
        )
    warnings += _shared_words(group)
    if gaps:
        named_gaps = ", ".join(
            f"{steps[index - 1]:.4g} mm between {index} and {index + 1}"
            for index in gaps[:_NAMED_GAPS]
        )
        more = f" and {len(gaps) - _NAMED_GAPS} more" if len(gaps) > _NAMED_GAPS else ""
        warnings.append(
            f"{counted(len(gaps), 'gap')} where slices may be missing: {named_gaps}{more}; "
            f"the usual step is {usual:.4g} mm"
        )
    if usual > _WIDE_STEP_MM:
        warnings.append(f"slices lie {usual:.4g} mm apart: {UNSEEN_TUMOUR}")
    return Stack(
        slices=tuple(ordered),
        has_places=not doubles,
        gaps=frozenset(gaps),
        warnings=tuple(warnings),
    )


def _shared_words(group: Sequence[ScanSlice]) -> list[str]:
    shared = _shared_identifiers(group)
    if not shared:
        return []
    words = "with an identifier that another one has, and not its place or its content: none is left out"
    return [f"{counted(shared, 'slice')} {words}"]


def _place(one: ScanSlice) -> float:
    return 0.0 if one.geometry is None else one.geometry.position_mm


def _name_and_frame(one: ScanSlice) -> tuple[str, int]:
    frame = one.identity.frame_number if one.identity else None
    return one.file.name, frame or 0
