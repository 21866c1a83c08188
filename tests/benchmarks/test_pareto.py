"""The front holds the engines that no other one beats."""

from benchmarks.pareto import pareto_front


def test_the_front_is_fastest_first_and_leaves_out_what_is_beaten() -> None:
    points = {
        "slow and best": (100.0, 0.95),
        "fast": (10.0, 0.90),
        "fast and worse": (10.0, 0.85),
        "slower and no better": (50.0, 0.90),
        "between": (20.0, 0.92),
        "as good as between and slower": (30.0, 0.92),
    }
    assert pareto_front(points) == ["fast", "between", "slow and best"]


def test_no_points_have_no_front() -> None:
    assert pareto_front({}) == []
