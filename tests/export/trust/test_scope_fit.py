import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.contract import LABELS, MAX_SCOPE_BYTES
from edge_infer.scope import ScopeModel
from export.trust.scope_fit import ScopeFit, dimensions, fit_scope, threshold_at

DIM = 96
Drawn = tuple[NDArray[np.float32], NDArray[np.int64]]


def embeddings(count: int, seed: int, *, directions: int = 12) -> Drawn:
    """Four classes in a few directions of one subspace, with a little noise in all others."""
    fixed = np.random.default_rng(99)
    space = np.linalg.qr(fixed.normal(size=(DIM, directions)))[0]
    centres = fixed.normal(0, 2, (len(LABELS), directions))
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % len(LABELS)
    inside = centres[labels] + generator.normal(0, 0.5, (count, directions))
    drawn = 6 * fixed.normal(0, 0.1, DIM) + inside @ space.T
    return (drawn + generator.normal(0, 0.02, (count, DIM))).astype(np.float32), labels


def strangers(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.5, (count, DIM)).astype(np.float32)


def fitted(train: Drawn, validation: NDArray[np.float32]) -> ScopeFit:
    return fit_scope(*train, validation, train_source="train", threshold_source="val")


def scores(fit: ScopeFit, given: NDArray[np.float32]) -> NDArray[np.float64]:
    return ScopeModel.from_bundle(fit.description, fit.data, len(LABELS)).score(given)


def by_definition(fit: ScopeFit, given: NDArray[np.float32]) -> NDArray[np.float64]:
    """The score as it is defined, from scope.bin, written down a second time without the runtime's shortcuts."""
    arrays: dict[str, NDArray[Any]] = {}
    place = 0
    for entry in fit.description["arrays"]:
        kind = np.dtype(entry["dtype"]).newbyteorder("<")
        count = math.prod(entry["shape"])
        flat = np.frombuffer(fit.data, kind, count, place)
        arrays[entry["name"]] = flat.reshape(entry["shape"]).astype(np.float64)
        place += count * kind.itemsize
    assert place == len(fit.data)
    found = []
    for embedding in given.astype(np.float64):
        x = embedding / np.linalg.norm(embedding) - arrays["mean"]
        p = x @ arrays["basis"]
        w = p @ arrays["whitening"]
        nearest = min(((w - centre) ** 2).sum() for centre in arrays["centres"])
        rest = ((x - arrays["basis"] @ p) ** 2).sum()
        scales = fit.description["scales"]
        found.append(math.sqrt(nearest / scales["mahalanobis"] + rest / scales["residual"]))
    return np.array(found)


def test_the_runtime_scores_what_was_fitted_as_it_is_defined() -> None:
    fit = fitted(embeddings(800, 1), embeddings(200, 2)[0])
    asked = np.concatenate([embeddings(20, 3)[0], strangers(20, 4)])
    np.testing.assert_allclose(scores(fit, asked), by_definition(fit, asked), rtol=1e-6)


def test_strangers_are_out_of_scope_and_new_images_of_the_same_kind_are_not() -> None:
    fit = fitted(embeddings(800, 1), embeddings(400, 2)[0])
    threshold = fit.description["threshold"]
    assert (scores(fit, strangers(200, 4)) > threshold).all()
    assert 0.9 <= (scores(fit, embeddings(400, 5)[0]) <= threshold).mean() <= 0.99


def test_a_length_alone_does_not_make_a_stranger() -> None:
    fit = fitted(embeddings(800, 1), embeddings(200, 2)[0])
    given = embeddings(10, 6)[0]
    np.testing.assert_allclose(scores(fit, 1000 * given), scores(fit, given), rtol=1e-3)


def test_each_distance_is_in_units_of_its_median_over_the_training_images() -> None:
    train = embeddings(800, 1)
    fit = fitted(train, embeddings(200, 2)[0])
    # Two parts of median 1: half of the images are at most 1 in each, so the score's median is near sqrt(2).
    assert np.median(scores(fit, train[0])) == pytest.approx(math.sqrt(2), abs=0.15)


def test_the_covariance_is_that_within_the_classes() -> None:
    train = embeddings(2000, 1, directions=8)
    fit = fitted(train, embeddings(200, 2, directions=8)[0])
    arrays = {entry["name"]: entry["shape"] for entry in fit.description["arrays"]}
    assert arrays["basis"] == [DIM, DIM // 2]
    # In whitened coordinates each training image lies k squared units from its class on average.
    assert fit.description["scales"]["mahalanobis"] == pytest.approx(DIM // 2, rel=0.1)


@pytest.mark.parametrize(
    ("images", "dim", "count"), [(2836, 1392, 64), (192, 1392, 24), (5, 1392, 1), (4000, 32, 16)]
)
def test_few_images_get_few_directions(images: int, dim: int, count: int) -> None:
    assert dimensions(images, dim) == count


@pytest.mark.parametrize("count", [8, 16, 64])
def test_few_images_give_finite_numbers(count: int) -> None:
    fit = fitted(embeddings(count, 1), embeddings(40, 2)[0])
    assert np.isfinite(scores(fit, np.concatenate([embeddings(40, 3)[0], strangers(40, 4)]))).all()
    assert fit.description["threshold"] > 0


def test_embeddings_that_do_not_vary_give_finite_numbers() -> None:
    same = np.ones((64, DIM), dtype=np.float32)
    fit = fitted((same, np.arange(64) % len(LABELS)), same[:20])
    given = scores(fit, np.concatenate([same[:1], strangers(5, 1)]))
    assert np.isfinite(given).all()
    assert (given[1:] > 10 * given[0]).all()


def test_the_file_is_small_and_as_long_as_described() -> None:
    generator = np.random.default_rng(0)
    train = generator.normal(1, 0.3, (600, 1392)).astype(np.float32)
    fit = fitted((train, np.arange(600) % len(LABELS)), train[:100])
    assert [entry["dtype"] for entry in fit.description["arrays"]] == [
        "float32",
        "float16",
        "float32",
        "float32",
    ]
    assert len(fit.data) == 4 * 1392 + 2 * 1392 * 64 + 4 * 4 * 64 + 4 * 64 * 64
    assert len(fit.data) < MAX_SCOPE_BYTES / 4


def test_no_embedding_of_an_image_is_in_the_file() -> None:
    train = embeddings(800, 1)[0]
    data = fitted((train, embeddings(800, 1)[1]), embeddings(100, 2)[0]).data
    unit = train / np.linalg.norm(train, axis=1, keepdims=True)
    for kind in (np.float16, np.float32):
        for row in (train, unit):
            assert not any(image[:4].astype(kind).tobytes() in data for image in row)


def test_a_class_without_images_or_nan_is_a_bug_of_the_caller() -> None:
    given, labels = embeddings(80, 1)
    with pytest.raises(ValueError, match="every class"):
        fitted((given, np.zeros_like(labels)), given)
    given[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        fitted((given, labels), embeddings(20, 2)[0])


def test_the_threshold_has_the_rank_of_split_conformal_prediction() -> None:
    given = np.arange(1, 101, dtype=np.float64)  # 100: rank ceil(0.95 * 101) = 96
    assert threshold_at(np.random.default_rng(0).permutation(given)) == 96
    assert (
        threshold_at(given[:99]) == 95
    )  # ceil(0.95 * 100) = 95, and not 96 for a rounding of the product
    assert threshold_at(given[:19]) == 19  # ceil(0.95 * 20) = 19
    assert threshold_at(given[:10]) == 10
    assert threshold_at(given, 0.5) == 51
