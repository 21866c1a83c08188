"""Which answers and which decisions changed, in which direction, among how many."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.comparison.pairs import Pairs

__all__ = ["decision_changes", "label_changes"]


def label_changes(pairs: Pairs) -> dict[str, Any]:
    """Count labels that changed: all, among answers that both accept, by class and direction.

    Returns:
        ``matrix`` and ``matrix_accepted`` have the old label in rows and the new one in columns. What concerns the
        negative class is None without one, and ``truth``, what became of changed labels, where no class is known.
    """
    names, flipped, both = pairs.classes.names, pairs.flipped, pairs.both_accepted
    per_class = {
        name: pairs.share(flipped, pairs.old.labels == number) for number, name in enumerate(names)
    }
    directions = [
        {
            "from": names[was],
            "to": names[now],
            "all": pairs.share(pairs.new.labels == now, pairs.old.labels == was),
            "accepted": pairs.share(pairs.new.labels == now, (pairs.old.labels == was) & both),
        }
        for was in range(len(names))
        for now in range(len(names))
        if was != now and ((pairs.old.labels == was) & (pairs.new.labels == now)).any()
    ]
    return {
        "all": pairs.share(flipped, pairs.everywhere),
        "accepted": pairs.share(flipped, both),
        "per_class": per_class,
        "directions": directions,
        "matrix": _matrix(pairs, pairs.everywhere),
        "matrix_accepted": _matrix(pairs, both),
        "truth": None if not (pairs.truth >= 0).any() else _corrections(pairs, pairs.everywhere),
        "truth_accepted": None if not (pairs.truth >= 0).any() else _corrections(pairs, both),
        "negative": _negative_changes(pairs),
    }


def decision_changes(pairs: Pairs) -> dict[str, Any]:
    """Count answers that are no longer accepted, and newly accepted, by reason; and decisions of the scope check."""
    was, now = pairs.old.accepted, pairs.new.accepted
    lost, gained = was & ~now, ~was & now
    return {
        "accepted_old": pairs.share(was, pairs.everywhere),
        "accepted_new": pairs.share(now, pairs.everywhere),
        "accepted_by_both": int((was & now).sum()),
        "abstained_by_both": int((~was & ~now).sum()),
        "lost": pairs.share(~now, was),
        "lost_reasons": _reasons(pairs.new.reasons, lost),
        "gained": pairs.share(gained, pairs.everywhere),
        "gained_reasons": _reasons(pairs.old.reasons, gained),
        "scope": {
            "checked_old": pairs.old.is_scoped,
            "checked_new": pairs.new.is_scoped,
            "newly_outside": pairs.share(pairs.new.out_of_scope, ~pairs.old.out_of_scope),
            "newly_inside": pairs.share(~pairs.new.out_of_scope, pairs.old.out_of_scope),
        },
    }


def _matrix(pairs: Pairs, among: NDArray[np.bool_]) -> list[list[int]]:
    count = len(pairs.classes)
    matrix = np.zeros((count, count), dtype=np.int64)
    np.add.at(matrix, (pairs.old.labels[among], pairs.new.labels[among]), 1)
    rows: list[list[int]] = matrix.tolist()
    return rows


def _corrections(pairs: Pairs, among: NDArray[np.bool_]) -> dict[str, int]:
    """Return how many changed labels of known class were corrected, spoiled, or wrong before and after."""
    changed = pairs.flipped & among & (pairs.truth >= 0)
    corrected = changed & (pairs.new.labels == pairs.truth)
    spoiled = changed & (pairs.old.labels == pairs.truth)
    return {
        "corrected": int(corrected.sum()),
        "spoiled": int(spoiled.sum()),
        "wrong_before_and_after": int((changed & ~corrected & ~spoiled).sum()),
    }


def _negative_changes(pairs: Pairs) -> dict[str, Any] | None:
    """Count answers that changed to the negative class and from it: something that is there was lost, or found.

    What is ``judged`` leaves out images whose known class shows that the change is a correction.
    """
    negative = pairs.classes.negative_id
    if negative is None:
        return None
    was, now = pairs.old.labels == negative, pairs.new.labels == negative
    both = pairs.both_accepted
    known = pairs.truth >= 0
    known_negative, known_positive = pairs.truth == negative, known & (pairs.truth != negative)
    return {
        "label": pairs.classes.negative,
        "to_negative": pairs.share(now, ~was),
        "to_negative_accepted": pairs.share(now, ~was & both),
        "to_negative_judged": pairs.share(now, ~was & both & ~known_negative),
        "to_negative_truth": _truths(pairs, ~was & now),
        "from_negative": pairs.share(~now, was),
        "from_negative_accepted": pairs.share(~now, was & both),
        "from_negative_judged": pairs.share(~now, was & both & ~known_positive),
        "from_negative_truth": _truths(pairs, was & ~now),
    }


def _truths(pairs: Pairs, chosen: NDArray[np.bool_]) -> dict[str, int]:
    """Return which classes the images really are; those that are not known are left out."""
    known = pairs.truth[chosen & (pairs.truth >= 0)]
    return {
        pairs.classes.names[number]: int(n) for number, n in sorted(Counter(known.tolist()).items())
    }


def _reasons(reasons: tuple[tuple[str, ...], ...], chosen: NDArray[np.bool_]) -> dict[str, int]:
    """Return how often each reason is given; an image may have several."""
    counts = Counter(one for row in np.flatnonzero(chosen) for one in reasons[row])
    return dict(counts.most_common())
