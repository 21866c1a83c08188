"""Slices are ordered by where they lie; what differs in direction, size, echo or kind is never one stack."""

from dataclasses import replace

import pytest
from scan_slices import slice_at

from edge_infer.scan_slice import ScanSlice
from edge_infer.series.stacks import Stack, stacks_of


def places(stack: Stack) -> list[float]:
    return [one.geometry.position_mm for one in stack.slices if one.geometry]


def test_slices_are_ordered_by_position_and_not_by_name() -> None:
    slices = [slice_at(4.0 * step, name=f"IM{9 - step}") for step in range(9)]
    (stack,) = stacks_of(slices[1::2] + slices[::-2])
    assert places(stack) == [4.0 * step for step in range(9)]
    assert stack.slices[0].name == "IM9"
    assert (stack.has_places, stack.gaps, stack.warnings) == (True, frozenset(), ())


def test_three_planes_in_one_series_become_three_stacks() -> None:
    slices = [
        slice_at(5.0 * step, plane=plane)
        for step in range(3)
        for plane in ("axial", "coronal", "sagittal")
    ]
    stacks = stacks_of(slices)
    assert [len(stack.slices) for stack in stacks] == [3, 3, 3]
    for number, stack in enumerate(stacks, start=1):
        assert len({one.geometry.plane for one in stack.slices if one.geometry}) == 1
        assert (
            f"3 stacks that differ in direction, size, echo or kind; this is stack {number}"
            in (stack.warnings[0])
        )


@pytest.mark.parametrize(
    "other",
    [
        {"echo_time_ms": 90.0},
        {"inversion_time_ms": 900.0},
        {"image_type": ("ORIGINAL", "PRIMARY", "P")},
        {"scanning_sequence": ("EP",)},
        {"modality": "CT"},
        {"size": (64, 64)},
        {"size": None},
        {"normal": (0.0, 0.0523, 0.9986)},
    ],
)
def test_what_differs_is_another_stack(other: dict[str, object]) -> None:
    usual = {"echo_time_ms": 3.0, "inversion_time_ms": 2000.0}
    slices = [slice_at(float(z), name=f"a{z}", **usual) for z in range(5)]
    slices += [slice_at(float(z), name=f"b{z}", **{**usual, **other}) for z in range(3)]
    first, second = stacks_of(slices)
    assert ([one.name[0] for one in first.slices], len(second.slices)) == (["a"] * 5, 3)
    assert first.has_places
    assert second.has_places


def test_echo_times_that_scatter_are_one_echo() -> None:
    slices = [slice_at(float(z), echo_time_ms=2.9 + 0.02 * z) for z in range(10)]
    assert len(stacks_of(slices)) == 1


def test_directions_that_scatter_are_one_direction() -> None:
    slices = [slice_at(float(z), normal=(0.0, 1e-3 * z, 1.0)) for z in range(4)]
    assert len(stacks_of(slices)) == 1


def test_the_same_file_twice_is_left_out_and_said() -> None:
    slices = [slice_at(float(z)) for z in range(4)]
    copies = [slice_at(float(z), name=f"copy{z}", uid="7") for z in (1, 1)]
    (stack,) = stacks_of([*slices, *slices[:2]])
    assert len(stack.slices) == 4
    assert stack.has_places
    assert stack.warnings == ("left out as copies: 2 slices with identifier and place of another",)
    # One identifier at two places is no copy: nothing may be lost for a header that is wrong.
    moved = [slice_at(9.0, name="x", uid="7"), slice_at(10.0, name="y", uid="7")]
    assert len(stacks_of(moved)[0].slices) == 2
    assert len(stacks_of(copies)[0].slices) == 1


def test_two_slices_at_one_place_are_noticed() -> None:
    slices = [slice_at(float(z), name=f"{echo}{z}") for z in range(4) for echo in "ab"]
    (stack,) = stacks_of(slices)
    assert not stack.has_places
    assert len(stack.slices) == 8
    assert "4 slices at a place that another one has" in stack.warnings[0]


def test_gaps_are_noticed_and_counted() -> None:
    zs = [0.0, 4.0, 8.0, 20.0, 24.0, 28.0, 36.0]
    (stack,) = stacks_of([slice_at(z) for z in zs])
    assert stack.gaps == {3, 6}
    assert stack.has_places
    assert stack.warnings == (
        "2 gaps where slices may be missing: 12 mm between 3 and 4, 8 mm between 6 and 7; the usual step is 4 mm",
    )
    even: list[ScanSlice] = [slice_at(1.1 * step) for step in range(30)]
    assert stacks_of(even)[0].gaps == frozenset()


def test_of_many_gaps_the_first_are_named() -> None:
    zs = [z for block in range(9) for z in (100.0 * block, 100.0 * block + 1, 100.0 * block + 2)]
    (stack,) = stacks_of([slice_at(z) for z in zs])
    assert len(stack.gaps) == 8
    assert "and 5 more" in stack.warnings[0]


def test_slices_that_lie_far_apart_are_noticed() -> None:
    (far,) = stacks_of([slice_at(12.0 * step) for step in range(5)])
    assert far.warnings == ("slices lie 12 mm apart: a tumour between two is not seen",)
    (near,) = stacks_of([slice_at(6.5 * step) for step in range(5)])
    assert near.warnings == ()


def test_slices_without_positions_are_in_order_of_name() -> None:
    (stack,) = stacks_of([slice_at(None, name=name) for name in ("b", "c", "a")])
    assert [one.name for one in stack.slices] == ["a", "b", "c"]
    assert not stack.has_places
    assert "does not say where the slices lie" in stack.warnings[0]


def test_slices_with_and_without_positions_are_apart() -> None:
    slices = [slice_at(1.0), slice_at(2.0), slice_at(None, name="lost")]
    assert [len(stack.slices) for stack in stacks_of(slices)] == [2, 1]


def test_a_slice_alone_is_a_stack() -> None:
    (stack,) = stacks_of([slice_at(1.0)])
    assert (stack.has_places, stack.warnings) == (True, ())


def test_slices_that_share_one_identifier_are_kept_unless_place_or_content_is_the_same() -> None:
    """Software that makes data anonymous gives one identifier to all."""
    slices = [
        replace(slice_at(None, name=f"s{number}", uid="1.2.3"), sha256=f"{number}")
        for number in range(17)
    ]
    (stack,) = stacks_of(slices)
    assert len(stack.slices) == 17
    assert not stack.has_places
    assert any("17 slices with an identifier that another one has" in one for one in stack.warnings)
    (twice,) = stacks_of([*slices, *(replace(one, name="copy") for one in slices[:5])])
    assert len(twice.slices) == 17
    assert "left out as copies: 5 slices" in twice.warnings[-1]
    (unknown,) = stacks_of([slice_at(None, name=name, uid="1.2.3") for name in "ab"])
    assert len(unknown.slices) == 2  # nothing is known of either


def test_one_place_in_two_planes_is_no_copy() -> None:
    slices = [slice_at(0.0, plane=plane, uid="1.2") for plane in ("axial", "coronal", "sagittal")]
    assert [len(stack.slices) for stack in stacks_of(slices)] == [1, 1, 1]
    echoes = [slice_at(0.0, uid="1.2", echo_time_ms=time) for time in (5.0, 90.0)]
    assert [len(stack.slices) for stack in stacks_of(echoes)] == [1, 1]


@pytest.mark.parametrize("points", [2, 3, 5])
@pytest.mark.parametrize(("step", "jitter"), [(6.5, 0.03), (6.5, 0.5), (1.0, 0.03), (4.0, 0.09)])
def test_time_points_that_lie_nearly_at_one_place_are_doubles_and_no_gaps(
    points: int, step: float, jitter: float
) -> None:
    apart = jitter / (points - 1)
    slices = [
        slice_at(step * number + apart * point, name=f"{point}-{number}")
        for number in range(17)
        for point in range(points)
    ]
    (stack,) = stacks_of(slices)
    assert not stack.has_places
    assert stack.gaps == frozenset()
    (said,) = stack.warnings
    assert f"{17 * (points - 1)} slices at a place that another one has" in said


@pytest.mark.parametrize("step", [0.2, 0.35, 0.5, 0.7, 1.0, 6.5, 24.0])
def test_thin_slices_and_gaps_are_no_doubles(step: float) -> None:
    even = [slice_at(step * number) for number in range(40)]
    assert stacks_of(even)[0].has_places
    holed = stacks_of([*even[:15], *even[30:]])[0]
    assert (holed.has_places, holed.gaps) == (True, {15})
