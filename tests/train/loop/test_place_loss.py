import math

import pytest
import torch
from torch import Tensor

from edge_infer.contract import LABELS
from train.loop.place_loss import place_loss

GLIOMA, HEALTHY = LABELS.index("glioma"), LABELS.index("no_tumor")
KNOWN = torch.tensor([True])

#: What a place costs that is neither for nor against: log(2).
EVEN = math.log(2)


def mask_of(*, share: float = 1.0, row: int = 1, column: int = 2) -> Tensor:
    """A tumour that covers a share of one of 4 x 4 places, (1, 1, 40, 40); a place has 100 pixels."""
    place = torch.zeros(100)
    place[: round(100 * share)] = 1
    mask = torch.zeros(1, 1, 40, 40)
    mask[0, 0, row * 10 : row * 10 + 10, column * 10 : column * 10 + 10] = place.view(10, 10)
    return mask


def gradient(mask: Tensor, label: int, *, known: bool = True) -> Tensor:
    """What one more unit of presence costs at each place, (4, 4), at even odds."""
    presence = torch.zeros(1, 1, 4, 4, requires_grad=True)
    place_loss(presence, torch.tensor([label]), mask, torch.tensor([known])).backward()
    assert presence.grad is not None
    return presence.grad[0, 0]


def test_even_odds_cost_log_2_inside_and_out() -> None:
    loss = place_loss(torch.zeros(1, 1, 4, 4), torch.tensor([GLIOMA]), mask_of(), KNOWN)
    assert float(loss) == pytest.approx(2 * EVEN, abs=1e-6)


def test_it_asks_for_presence_inside_and_for_absence_elsewhere() -> None:
    slope = gradient(mask_of(), GLIOMA)
    assert float(slope[1, 2]) == pytest.approx(-0.5, abs=1e-6)  # sigmoid(0) - 1, of one place
    slope[1, 2] = 0.5 / 15
    torch.testing.assert_close(slope, torch.full((4, 4), 0.5 / 15))  # sigmoid(0), the mean of 15


def test_a_map_that_is_right_costs_nothing_and_one_that_is_wrong_much() -> None:
    presence = torch.full((1, 1, 4, 4), -20.0)
    presence[0, 0, 1, 2] = 20.0
    labels = torch.tensor([GLIOMA])
    assert float(place_loss(presence, labels, mask_of(), KNOWN)) < 1e-6
    assert float(place_loss(-presence, labels, mask_of(), KNOWN)) == pytest.approx(40, abs=1e-3)


def test_a_small_tumour_keeps_the_place_that_holds_most_of_it() -> None:
    slope = gradient(mask_of(share=0.05), GLIOMA)
    assert float(slope[1, 2]) == pytest.approx(-0.5, abs=1e-6)
    two = torch.maximum(mask_of(share=0.05), mask_of(share=0.15, row=3))
    slope = gradient(two, GLIOMA)
    assert float(slope[3, 2]) == pytest.approx(-0.5, abs=1e-6)
    assert float(slope[1, 2]) == 0, "the other place is between: some of it is tumour"


def test_a_tumour_below_a_hundredth_of_a_place_asks_for_nothing() -> None:
    assert float(gradient(mask_of(share=0.0), GLIOMA).min()) > 0
    speck = torch.zeros(1, 1, 80, 80)
    speck[0, 0, 20:22, 40:41] = 1  # 2 of a place's 400 pixels
    assert float(gradient(speck, GLIOMA).min()) > 0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_between_the_bounds_nothing_counts(share: float) -> None:
    both = torch.maximum(mask_of(), mask_of(share=share, row=2))
    assert float(gradient(both, GLIOMA)[2, 2]) == 0


@pytest.mark.parametrize(("share", "sign"), [(0.01, 1), (0.31, -1), (0.5, -1)])
def test_beyond_the_bounds_places_count(share: float, sign: int) -> None:
    both = torch.maximum(mask_of(), mask_of(share=share, row=2))
    assert sign * float(gradient(both, GLIOMA)[2, 2]) > 0


def test_a_tumour_whose_mask_is_unknown_does_not_count() -> None:
    empty = torch.zeros(1, 1, 40, 40)
    assert float(gradient(empty, GLIOMA, known=False).abs().max()) == 0
    assert float(gradient(mask_of(), GLIOMA, known=False).abs().max()) == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_healthy_head_has_no_tumour_anywhere_whatever_its_mask(known: bool) -> None:
    for mask in (torch.zeros(1, 1, 40, 40), mask_of()):
        slope = gradient(mask, HEALTHY, known=known)
        torch.testing.assert_close(slope, torch.full((4, 4), 0.5 / 16))


def test_places_of_all_images_are_weighed_as_one() -> None:
    """The means are over the places of a batch: a large tumour does not count for less at each place."""
    presence = torch.zeros(3, 1, 4, 4, requires_grad=True)
    masks = torch.cat([mask_of(), torch.ones(1, 1, 40, 40), mask_of()])
    labels, known = torch.tensor([GLIOMA, GLIOMA, HEALTHY]), torch.tensor([True, True, False])
    place_loss(presence, labels, masks, known).backward()
    assert presence.grad is not None
    inside = presence.grad[presence.grad < 0]
    outside = presence.grad[presence.grad > 0]
    torch.testing.assert_close(inside, torch.full((17,), -0.5 / 17))
    torch.testing.assert_close(outside, torch.full((31,), 0.5 / 31))


def test_extreme_log_odds_in_half_precision_stay_finite() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        presence = torch.full((1, 1, 4, 4), 6e4, dtype=dtype)
        loss = place_loss(presence, torch.tensor([GLIOMA]), mask_of(), KNOWN)
        assert loss.dtype == torch.float32
        assert bool(loss.isfinite())


def test_an_image_with_parts_of_another_does_not_count() -> None:
    presence = torch.full((2, 1, 2, 2), 3.0)
    labels, masks = torch.tensor([2, 2]), torch.zeros(2, 1, 8, 8)
    known = torch.tensor([False, False])
    both = place_loss(presence, labels, masks, known)
    presence[1] = 9.0
    first = place_loss(presence, labels, masks, known, unmixed=torch.tensor([True, False]))
    torch.testing.assert_close(first, both)
    none = place_loss(presence, labels, masks, known, unmixed=torch.tensor([False, False]))
    assert float(none) == 0


def test_no_place_shows_tumour_and_none_at_once() -> None:
    masks = torch.zeros(1, 1, 16, 16)
    masks[0, 0, 0, 0] = 1.0  # 1.6 % of the first of four places, less than what counts as outside
    presence = torch.full((1, 1, 2, 2), -20.0)
    presence[0, 0, 0, 0] = 20.0
    loss = place_loss(presence, torch.tensor([0]), masks, torch.tensor([True]))
    assert float(loss) < 1e-6
