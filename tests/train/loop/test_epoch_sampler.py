from collections import Counter

import torch

from train.loop.epoch_sampler import EpochSampler


def order(
    labels: torch.Tensor,
    seed: int,
    epoch: int,
    *,
    balance: bool = False,
    copies: torch.Tensor | None = None,
) -> list[int]:
    sampler = EpochSampler(labels, seed=seed, balance=balance, copies=copies)
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
