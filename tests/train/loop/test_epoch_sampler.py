from collections import Counter

import pytest
import torch

from train.loop.epoch_sampler import EpochSampler

COPIES = torch.tensor([0, 0, 1, 2, 2, 2, 3, 4])


def order(
    labels: torch.Tensor,
    seed: int,
    epoch: int,
    *,
    balance: bool = False,
    copies: torch.Tensor | None = None,
    replace: torch.Tensor | None = None,
) -> list[int]:
    sampler = EpochSampler(labels, seed=seed, balance=balance, copies=copies, replace=replace)
    sampler.set_epoch(epoch)
    drawn = list(sampler)
    assert len(drawn) == len(sampler)
    return drawn


def test_the_order_of_images_depends_on_seed_and_epoch_alone() -> None:
    labels = torch.tensor([0] * 30 + [1] * 10)
    assert order(labels, 1, 2) == order(labels, 1, 2)
    assert sorted(order(labels, 1, 2)) == list(range(40))
    assert order(labels, 1, 2) != order(labels, 1, 3)
    assert order(labels, 1, 2) != order(labels, 2, 2)


def test_balanced_classes_come_equally_often() -> None:
    labels = torch.tensor([0] * 30 + [1] * 10)
    drawn = [row for epoch in range(25) for row in order(labels, 1, epoch, balance=True)]
    share = sum(row >= 30 for row in drawn) / len(drawn)
    assert 0.45 < share < 0.55  # one half; 1,000 draws, standard deviation 0.016


def test_an_epoch_has_one_of_each_copy_and_in_the_long_run_all_of_them_alike() -> None:
    copies = torch.tensor([0, 1, 1, 2, 0, 1, 3])
    labels = torch.tensor([0, 0, 0, 1, 0, 0, 1])
    drawn = []
    for epoch in range(600):
        rows = order(labels, 5, epoch, copies=copies)
        assert sorted(copies[rows].tolist()) == [0, 1, 2, 3]
        drawn += rows
    counts = Counter(drawn)
    assert counts[3] == counts[6] == 600
    for row in (1, 2, 5):
        assert 150 < counts[row] < 250  # 200 expected, standard deviation 11.5
    assert order(labels, 5, 1, copies=copies) == order(labels, 5, 1, copies=copies)


def test_an_image_with_many_copies_weighs_as_much_as_one_with_none_in_balanced_classes() -> None:
    # Class 0: an image with nine copies and two without. Class 1: one image.
    labels = torch.tensor([0] * 12 + [1])
    copies = torch.tensor([0] * 10 + [1, 2] + [3])
    drawn = [
        row for epoch in range(500) for row in order(labels, 3, epoch, balance=True, copies=copies)
    ]
    groups = Counter(copies[drawn].tolist())
    assert len(drawn) == 2000
    assert 910 < groups[3] < 1090  # half, deviation 22
    assert all(270 < groups[group] < 397 for group in range(3))  # a third of the rest, deviation 17


@pytest.mark.parametrize(
    ("balance", "copies", "expected"),
    # Drawn with release 0.2.0.
    [
        (False, None, [5, 6, 3, 1, 0, 2, 4, 7]),
        (True, None, [7, 1, 7, 0, 7, 6, 7, 0]),
        (False, COPIES, [6, 1, 5, 2, 7]),
        (True, COPIES, [2, 1, 2, 7, 7]),
    ],
)
def test_without_twins_the_order_is_what_it_was_before_there_were_any(
    balance: bool, copies: torch.Tensor | None, expected: list[int]
) -> None:
    labels = torch.tensor([0] * 6 + [1] * 2)
    assert order(labels, 7, 3, balance=balance, copies=copies) == expected
    # Twins are drawn last: the images that they replace come in the same order.
    replace = torch.full((2, 8), 0.4)
    twins = order(labels, 7, 3, balance=balance, copies=copies, replace=replace)
    assert [row % 8 for row in twins] == expected
    none = torch.zeros(2, 8)
    assert order(labels, 7, 3, balance=balance, copies=copies, replace=none) == expected


def test_twins_replace_images_as_often_as_asked() -> None:
    count, epochs = 40, 500
    replace = torch.tensor([[0.3] * 20 + [0.1] * 20, [0.2] * count])
    labels = torch.tensor([0] * 20 + [1] * 20)
    drawn = torch.tensor([order(labels, 1, epoch, replace=replace) for epoch in range(epochs)])
    kinds, rows = drawn // count, drawn % count
    assert (rows.sort(dim=1).values == torch.arange(count)).all(), "each image once, or a twin"
    # 10,000 draws of each half: standard deviation at most 0.0046.
    for half, changed in ((rows < 20, 0.3), (rows >= 20, 0.1)):
        shares = [(kinds[half] == kind).double().mean().item() for kind in range(3)]
        assert shares == pytest.approx([0.8 - changed, changed, 0.2], abs=0.02)


def test_twins_that_do_not_exist_are_never_drawn_and_certain_ones_always() -> None:
    replace = torch.tensor([[0.7, 0.0, 0.0, 1.0], [0.3, 0.3, 0.0, 0.0]])
    labels = torch.zeros(4, dtype=torch.int64)
    drawn = torch.tensor([order(labels, 2, epoch, replace=replace) for epoch in range(1500)])
    kinds = [set((drawn[drawn % 4 == row] // 4).tolist()) for row in range(4)]
    assert kinds == [{1, 2}, {0, 2}, {0}, {1}]


def test_twins_depend_on_seed_and_epoch_alone() -> None:
    labels, replace = torch.zeros(60, dtype=torch.int64), torch.full((2, 60), 0.3)
    first = order(labels, 1, 2, replace=replace)
    order(labels, 1, 1, replace=replace)
    torch.rand(5)
    assert order(labels, 1, 2, replace=replace) == first
    assert order(labels, 1, 3, replace=replace) != first
    assert order(labels, 2, 2, replace=replace) != first
