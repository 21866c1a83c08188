import math

import numpy as np
import pytest
import torch
from torch import Tensor

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from train.loop.grey_batches import pixel_values_from_grey
from train.loop.mask_loss import mask_loss
from train.models import create_model

KNOWN = torch.tensor([True])


def one_mask(*, row: int = 1, column: int = 2) -> Tensor:
    """A tumour that fills one of 4 x 4 places."""
    mask = torch.zeros(1, 1, 32, 32)
    mask[0, 0, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 1
    return mask


def test_flat_evidence_costs_the_logarithm_of_the_number_of_places() -> None:
    loss = mask_loss(torch.ones(1, 4, 4, 4), torch.tensor([1]), one_mask(), KNOWN)
    assert float(loss) == pytest.approx(math.log(16), abs=1e-5)


def test_the_gradient_pushes_the_true_classs_evidence_into_the_mask_and_leaves_the_logits() -> None:
    generator = torch.Generator().manual_seed(0)
    evidence = torch.randn(1, 4, 4, 4, generator=generator, requires_grad=True)
    mask_loss(evidence, torch.tensor([3]), one_mask(), KNOWN).backward()
    slope = evidence.grad
    assert slope is not None
    assert float(slope[0, 3, 1, 2]) < 0
    assert int(slope[0, 3].argmin()) == 1 * 4 + 2
    assert float(slope[0, :3].abs().max()) == 0, "other classes are left alone"
    assert abs(float(slope[0, 3].sum())) < 1e-6, "the mean, which is the logit, is not moved"
    along = (slope * evidence).sum()
    assert abs(float(along.detach())) < 1e-4, "nor is the scale"


def test_neither_scale_nor_offset_of_the_evidence_matters() -> None:
    evidence = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1)) * 5
    losses = [
        float(mask_loss(given, torch.tensor([0]), one_mask(), KNOWN))
        for given in (evidence, 10 * evidence, evidence - 40)
    ]
    assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-4)


def test_evidence_inside_costs_less_than_outside_and_a_small_tumour_counts_fully() -> None:
    evidence = torch.zeros(1, 4, 4, 4)
    evidence[0, 1, 1, 2] = 7.0
    small = torch.zeros(1, 1, 32, 32)
    small[0, 0, 12:14, 20:22] = 1  # four pixels of the place's 64
    labels = torch.tensor([1])
    inside = float(mask_loss(evidence, labels, one_mask(), KNOWN))
    assert inside == pytest.approx(float(mask_loss(evidence, labels, small, KNOWN)), abs=1e-5)
    outside = float(mask_loss(evidence, labels, one_mask(row=3), KNOWN))
    assert inside < 0.5 < math.log(16) < outside


def test_unknown_and_empty_masks_do_not_count() -> None:
    evidence = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(2))
    evidence.requires_grad_()
    labels = torch.tensor([0, 1, 2])
    masks = torch.cat([one_mask(), one_mask(), torch.zeros(1, 1, 32, 32)])
    loss = mask_loss(evidence, labels, masks, torch.tensor([True, False, True]))
    alone = mask_loss(evidence[:1], labels[:1], masks[:1], KNOWN)
    torch.testing.assert_close(loss, alone)
    loss.backward()
    assert evidence.grad is not None
    assert float(evidence.grad[1:].abs().max()) == 0
    none = mask_loss(evidence, labels, masks, torch.tensor([False, False, False]))
    assert float(none.detach()) == 0


def test_a_model_trained_with_it_points_at_the_tumour() -> None:
    """Bright squares on noise: after 30 steps the strongest place lies inside, on squares not seen before."""
    rng = np.random.default_rng(0)

    def squares(count: int) -> tuple[Tensor, Tensor]:
        grey = rng.uniform(0, 0.3, (count, 1, 64, 64)).astype(np.float32)
        masks = np.zeros_like(grey)
        for number, (top, left) in enumerate(rng.integers(0, 44, (count, 2))):
            masks[number, 0, top : top + 20, left : left + 20] = 1
        return torch.from_numpy(grey + 0.6 * masks), torch.from_numpy(masks)

    def hits(model: torch.nn.Module) -> int:
        grey, masks = held_out
        with torch.no_grad():
            evidence = model(pixel_values_from_grey(grey, config)).evidence[:, 1]
        pooled = torch.nn.functional.adaptive_avg_pool2d(masks, evidence.shape[1:])
        strongest = evidence.flatten(1).argmax(dim=1, keepdim=True)
        return int((pooled.flatten(1).gather(1, strongest) > 0).sum())

    torch.manual_seed(0)
    config = PreprocessorConfig(height=64, width=64)
    model = create_model("cvt_test", len(LABELS))
    held_out = squares(40)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(30):
        grey, masks = squares(8)
        evidence = model(pixel_values_from_grey(grey, config)).evidence
        known = torch.ones(8, dtype=torch.bool)
        loss = mask_loss(evidence, torch.ones(8, dtype=torch.int64), masks, known)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    model.eval()
    assert hits(model) >= 32  # of 40; a square covers up to 9 of 16 places, by chance about 20 hit
