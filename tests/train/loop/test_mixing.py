import pytest
import torch
from torch import Generator, Tensor

from train.loop.mixing import Mixture, draw_mixture
from train.recipe import Mixing

VARY = torch.ones(64, dtype=torch.bool)


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64) -> Tensor:
    return torch.rand(count, 1, 20, 16, generator=seeded(9))


def drawn(settings: Mixing, seed: int = 0, vary: Tensor = VARY) -> Mixture:
    mixture = draw_mixture(images(), vary, settings, seeded(seed))
    assert mixture is not None
    return mixture


def test_the_same_generator_state_gives_the_same_mixture_and_the_global_one_is_left_alone() -> None:
    settings = Mixing(mixup_alpha=0.4, cutmix_alpha=1.0)
    before = torch.random.get_rng_state()
    first, again, other = (drawn(settings, seed).apply(images()) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_mixup_is_the_papers_formula() -> None:
    mixture = drawn(Mixing(mixup_alpha=1.0))
    share = mixture.share.view(-1, 1, 1, 1)
    grey = images()
    expected = share * grey + (1 - share) * grey[mixture.partner]
    torch.testing.assert_close(mixture.apply(grey), expected)
    # Beta(1, 1) is uniform: mean 1/2, standard deviation 0.29; of 64 numbers 0.036.
    assert 0.35 < float(share.mean()) < 0.65
    assert float(share.std()) > 0.2


def test_cutmix_takes_each_pixel_from_one_of_two_and_the_label_by_area() -> None:
    mixture = drawn(Mixing(cutmix_alpha=1.0))
    grey = images()
    views, partners = mixture.apply(grey), grey[mixture.partner]
    assert ((views == grey) | (views == partners)).all()
    own = (mixture.own == 1).float().mean(dim=(1, 2, 3))
    torch.testing.assert_close(mixture.share, own)
    inside = mixture.own[:, 0] == 0
    rows, columns = inside.any(dim=2).sum(dim=1), inside.any(dim=1).sum(dim=1)
    assert torch.equal(rows * columns, inside.sum(dim=(1, 2))), "what is cut out is a box"
    assert 0.3 < float(mixture.share.mean()) < 0.9


def test_labels_are_shared_as_the_images_are() -> None:
    mixture = Mixture(
        partner=torch.tensor([1, 0, 2]), own=torch.tensor([0.75, 1.0, 0.5]).view(3, 1, 1, 1)
    )
    targets = mixture.targets(torch.tensor([2, 0, 3]), 4)
    expected = [[0.25, 0, 0.75, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    torch.testing.assert_close(targets, torch.tensor(expected))


def test_only_some_are_mixed_and_originals_never() -> None:
    vary = torch.arange(64) < 48
    mixture = drawn(Mixing(mixup_alpha=1.0, probability=0.5), vary=vary)
    untouched = mixture.share == 1
    assert untouched[~vary].all()
    assert 12 < int((~untouched).sum()) < 36  # 24 expected
    grey = images()
    assert torch.equal(mixture.apply(grey)[untouched], grey[untouched])


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        (Mixing(mixup_alpha=1.0), {"mixup"}),
        (Mixing(cutmix_alpha=1.0), {"cutmix"}),
        (Mixing(mixup_alpha=1.0, cutmix_alpha=1.0), {"mixup", "cutmix"}),
    ],
)
def test_batches_take_one_of_the_two_kinds(settings: Mixing, kinds: set[str]) -> None:
    shapes = {drawn(settings, seed).own.shape for seed in range(20)}
    assert {"cutmix" if shape[2] > 1 else "mixup" for shape in shapes} == kinds


def test_without_either_nothing_is_drawn() -> None:
    generator = seeded()
    before = generator.get_state()
    assert draw_mixture(images(), VARY, Mixing(probability=1.0), generator) is None
    assert torch.equal(generator.get_state(), before)
