"""Which engines no other one beats by being faster and at least as accurate, or as fast and more accurate."""

from collections.abc import Mapping

__all__ = ["pareto_front"]


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names on the front, fastest first.

    Args:
        points: Latency (less is better) and accuracy (more is better) by name.
    """
    front: list[str] = []
    best = float("-inf")
    for name, (_, accuracy) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if accuracy > best:
            front.append(name)
            best = accuracy
    return front
