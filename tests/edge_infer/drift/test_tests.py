"""Distances, their p and their intervals, against scipy and against what is known of drawn samples."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.baseline.parts import Share
from edge_infer.drift.chances import chi_squared_tail, holm, kolmogorov_tail, normal_tail
from edge_infer.drift.distances import Sample, kolmogorov_smirnov, stability_index
from edge_infer.drift.share_test import compare_shares
from edge_infer.drift.two_sample import _areas, _features, tell_apart

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 10, 99])
@pytest.mark.parametrize("value", [0.01, 1.0, 8.0, 40.0, 200.0])
def test_chi_squared_is_scipy_s(value: float, freedom: int) -> None:
    assert chi_squared_tail(value, freedom) == pytest.approx(
        stats.chi2.sf(value, freedom), rel=1e-9, abs=1e-300
    )


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("sizes", [(200, 400), (200, 201), (2000, 256)])
def test_kolmogorov_s_p_is_near_the_exact_one(shift: float, sizes: tuple[int, int]) -> None:
    """Stephens' correction is an approximation; the exact p counts paths."""
    exact = stats.ks_2samp(drawn(0, sizes[0], shift), drawn(1, sizes[1]), method="exact")
    assert kolmogorov_tail(exact.statistic, *sizes) == pytest.approx(
        exact.pvalue, rel=0.15, abs=1e-9
    )


def test_the_normal_tail_is_scipy_s() -> None:
    assert normal_tail(3.0) == pytest.approx(stats.norm.sf(3.0), rel=1e-12)


def test_holm_is_r_s() -> None:
    """As R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def drawn(seed: int, n: int, shift: float = 0.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(shift, 1, n)


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_the_distance_is_scipy_s_with_and_without_ties(shift: float, decimals: int) -> None:
    reference, window = drawn(0, 256).round(decimals), drawn(1, 300, shift).round(decimals)
    found = kolmogorov_smirnov(Sample(np.sort(reference), 256, window), intervals=False)
    assert found.value == pytest.approx(stats.ks_2samp(reference, window).statistic, abs=1e-12)


def test_the_stability_index_is_its_formula_less_chance() -> None:
    reference, window = np.sort(drawn(0, 256)), drawn(1, 300, 0.7)
    edges = np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf")
    shares = []
    for values in (window, reference):
        counts = np.bincount(np.searchsorted(edges, values, "left"), minlength=10) + 0.5
        shares.append(counts / counts.sum())
    by_hand = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum()
    found = stability_index(Sample(reference, 256, window))
    assert found.value + found.by_chance == pytest.approx(by_hand)
    assert found.by_chance == pytest.approx(9 * (1 / 256 + 1 / 300))


def test_without_drift_p_is_even() -> None:
    """Of 200 windows each, 5 % have p below 0.05: and seldom twice as many."""
    rates = np.zeros(4)
    for seed in range(200):
        sample = Sample(np.sort(drawn(2 * seed, 256)), 256, drawn(2 * seed + 1, 250))
        index = stability_index(sample, intervals=False)
        counts = np.random.default_rng(seed).multinomial([300, 250], [0.4, 0.3, 0.28, 0.02])
        shares = compare_shares(
            Share(counts=dict(zip("abcd", counts[0].tolist(), strict=True)), effective_n=300),
            dict(zip("abcd", counts[1].tolist(), strict=True)),
        )
        assert shares is not None
        found = kolmogorov_smirnov(sample, intervals=False).p, index.p, shares.p
        rates[:3] += np.array(found) < 0.05
    for seed in range(40):
        generator = np.random.default_rng(seed)
        points = generator.normal(size=(406, 12))
        rates[3] += 5 * (tell_apart(points[:206], 206, points[206:]).p < 0.05)
    assert (rates / 200 < 0.11).all(), rates / 200
    assert (rates / 200 > 0.005).all(), rates / 200


def test_intervals_hold_the_true_distance() -> None:
    """Of windows half a standard deviation off: the true distance is 2 F(1/4) - 1."""
    truth = 2 * stats.norm.cdf(0.25) - 1
    held = [
        found.low <= truth <= found.high
        for seed in range(60)
        for found in [
            kolmogorov_smirnov(Sample(np.sort(drawn(seed, 256)), 256, drawn(seed + 999, 300, 0.5)))
        ]
        if found.low is not None and found.high is not None
    ]
    assert len(held) == 60
    assert np.mean(held) > 0.85


def test_a_reference_of_few_patients_makes_every_test_less_sure() -> None:
    reference, window = np.sort(drawn(0, 256)), drawn(1, 300, 0.3)
    sure, unsure = (kolmogorov_smirnov(Sample(reference, n, window)) for n in (256, 40))
    assert sure.p < unsure.p
    assert unsure.low is not None
    assert sure.low is not None
    assert unsure.low < sure.low
    share = {"a": 150, "b": 106}
    few, many = (
        compare_shares(Share(counts=share, effective_n=n), {"a": 140, "b": 160}) for n in (30, 256)
    )
    assert few is not None
    assert many is not None
    assert many.p < few.p
    points = np.random.default_rng(0).normal(size=(456, 6))
    points[256:, 0] += 0.5
    assert (
        tell_apart(points[:256], 256, points[256:]).p < tell_apart(points[:256], 30, points[256:]).p
    )


def test_shares_have_their_differences_and_a_new_category_is_seen() -> None:
    found = compare_shares(
        Share(counts={"none": 200, "ambiguous": 50}, effective_n=250),
        {"none": 100, "inverted": 150},
    )
    assert found is not None
    assert found.p < 1e-12
    rows = {row["name"]: row for row in found.rows}
    assert rows["inverted"]["difference"] == pytest.approx(0.6)
    assert rows["none"]["reference"] == pytest.approx(0.8)
    assert 0.5 < found.low < found.value < found.high < 0.7
    assert compare_shares(Share(counts={"none": 5}, effective_n=5), {"none": 9}) is None


def test_newcombe_s_interval_is_his_example() -> None:
    """Newcombe 1998, table II, case (a), method 10: 56 of 70 against 48 of 80 is 0.2 (0.0524..0.3339)."""
    found = compare_shares(Share(counts={"a": 48, "b": 32}, effective_n=80), {"a": 56, "b": 14})
    assert found is not None
    row = found.rows[0]
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(
        (0.2, 0.0524, 0.3339), abs=5e-5
    )


def test_a_spread_is_told_apart_as_a_shift_is() -> None:
    generator = np.random.default_rng(3)
    reference = generator.normal(size=(256, 10))
    shifted = generator.normal(size=(300, 10)) + 0.4
    wider = generator.normal(size=(300, 10)) * 1.6
    for window in (shifted, wider):
        found = tell_apart(reference, 256, window)
        assert found.p < 1e-6
        assert found.low is not None
        assert found.low > 0.1
    many = tell_apart(reference, 256, np.tile(shifted, (20, 1)))
    assert many.value > 0.2


def test_each_image_is_judged_without_itself() -> None:
    """With as many coordinates as images, a classifier that had seen them would tell noise apart."""
    points = np.random.default_rng(5).normal(size=(120, 60))
    is_window = np.arange(120) >= 60
    (area,) = _areas(_features(points), is_window[:, None])
    assert 0.3 < area < 0.7


def quantiles_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """As a baseline holds them."""
    return np.asarray(np.quantile(values, (np.arange(256) + 0.5) / 256, method="inverted_cdf"))


@pytest.mark.parametrize("decimals", [1, 8])
def test_a_million_like_a_million_show_no_sign_whatever_their_quantiles_leave_open(
    decimals: int,
) -> None:
    """With and without ties. Each quantile may lie half a step, 1/512, from where it is counted."""
    n = 1_000_000
    for seed in (0, 2):
        reference, window = (drawn(seed + side, n).round(decimals) for side in (0, 1))
        known = quantiles_of(reference)
        sample = Sample(known, n, window, resolution=1 / 512)
        for found in (kolmogorov_smirnov(sample), stability_index(sample)):
            assert found.p > 0.05 / 28  # of so many tests of measures
            assert found.low is not None
            assert found.high is not None
            assert found.low <= found.value <= found.high
        if decimals > 1:  # what the steps alone would look like
            plain = Sample(known, n, window)
            assert kolmogorov_smirnov(plain).p < 0.05
            assert stability_index(plain).p < 0.05
    moved = Sample(known, n, window + 0.05, resolution=1 / 512)
    assert kolmogorov_smirnov(moved).p < 1e-12
    assert stability_index(moved).p < 1e-12


@pytest.mark.parametrize(
    ("n", "m", "steps", "is_left_aside"),
    [
        (200, 410, 256, True),
        (400, 410, 256, True),
        (813, 95, 256, True),
        (1000, 1000, 256, False),
        (200, 150, 64, False),
    ],
)
def test_where_chance_gives_much_more_the_steps_are_left_aside(
    n: int, m: int, steps: int, is_left_aside: bool
) -> None:
    """The first three are the sizes of the published rates."""
    sample = Sample(np.sort(drawn(0, steps)), m, drawn(1, n), resolution=0.5 / steps)
    assert sample.resolution == (0.0 if is_left_aside else 0.5 / steps)
