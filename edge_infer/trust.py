"""When a bundle's answers are accepted: ``trust`` of the manifest, checked and ready for use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_infer.plain_json import is_number, is_whole
from edge_infer.scope_check import check_scope, is_text, require

__all__ = ["WAYS", "Trust", "read_trust"]

#: Where the answers come from that thresholds were fitted on: models that had not seen the image's patient, the
#: validation part, or images of the site that uses the bundle.
WAYS = ("out-of-fold", "validation", "site")

_MOST_IMAGES = 10**12
#: A bundle that wants sets which miss nothing, or everything, is a mistake.
_LEAST_ALPHA, _LARGEST_ALPHA = 1e-6, 1 - 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a bundle knows about how far its answers can be trusted.

    Attributes:
        alpha: Share of the images of each class whose class may be missing from the prediction set.
        set_thresholds: By label: a class is in the set if 1 minus its probability is at most this.
        least_score: An answer of less probability is ambiguous.
        target_accuracy: Which ``least_score`` was chosen for, among answers that are not ambiguous.
        scope_threshold: An image whose scope score is above it is out of scope; None without a scope check.
        way: One of ``WAYS``: on which answers the thresholds were fitted.
    """

    alpha: float
    set_thresholds: Mapping[str, float]
    least_score: float
    target_accuracy: float
    scope_threshold: float | None
    way: str


def read_trust(fields: Mapping[str, Any], labels: Sequence[str]) -> Trust:
    """Check ``trust`` of a manifest.

    Args:
        fields: The object.
        labels: All labels of the bundle.

    Raises:
        BundleIncompatible: A field is missing, of another form, or a number that cannot be computed with.
    """
    alpha = fields.get("alpha")
    is_alpha = is_number(alpha, _LEAST_ALPHA, _LARGEST_ALPHA)
    require(is_alpha, "trust.alpha", alpha, "a number between 0 and 1")
    thresholds = _by_label(fields, "set_thresholds", labels)
    for label, threshold in thresholds.items():
        is_share = is_number(threshold, 0, 1)
        require(is_share, f"trust.set_thresholds of {label}", threshold, "0..1")
    for name in ("least_score", "target_accuracy"):
        require(is_number(fields.get(name), 0, 1), f"trust.{name}", fields.get(name), "0..1")
    way = _check_fitted_on(fields.get("fitted_on"), labels)
    require("scope" in fields, "trust.scope", "missing", "an object or null")
    scope = fields["scope"]
    if scope is not None:
        require(isinstance(scope, dict), "trust.scope", scope, "an object or null")
        check_scope(scope, len(labels))
    return Trust(
        alpha=float(fields["alpha"]),
        set_thresholds={label: float(thresholds[label]) for label in labels},
        least_score=float(fields["least_score"]),
        target_accuracy=float(fields["target_accuracy"]),
        scope_threshold=None if scope is None else float(scope["threshold"]),
        way=way,
    )


def _check_fitted_on(fitted: object, labels: Sequence[str]) -> str:
    """Return the way, if the whole is of its form."""
    require(isinstance(fitted, dict), "trust.fitted_on", fitted, "an object")
    found: Mapping[str, Any] = fitted if isinstance(fitted, dict) else {}
    source, count, way = found.get("source"), found.get("n"), found.get("way")
    require(is_text(source), "trust.fitted_on.source", source, "a text that can be printed")
    require(is_whole(count, 1, _MOST_IMAGES), "trust.fitted_on.n", count, "a number of images")
    require(isinstance(way, str) and way in WAYS, "trust.fitted_on.way", way, f"{WAYS}")
    most: Any = count
    for name in ("accepted", "right"):  # which bundles until 0.2 do not know
        if name in found:
            is_part = is_whole(found[name], 0, most)
            require(
                is_part, f"trust.fitted_on.{name}", found[name], f"a number of images, 0..{most}"
            )
            most = found[name]
    for label, groups in _by_label(found, "groups", labels, inside="trust.fitted_on").items():
        is_count = is_whole(groups, 0, _MOST_IMAGES)
        require(is_count, f"trust.fitted_on.groups of {label}", groups, "a number of groups")
    return str(way)


def _by_label(
    holder: Mapping[str, Any], name: str, labels: Sequence[str], *, inside: str = "trust"
) -> Mapping[str, Any]:
    value = holder.get(name)
    is_complete = isinstance(value, dict) and set(value) == set(labels)
    found = sorted(value) if isinstance(value, dict) else value
    require(is_complete, f"{inside}.{name}", found, f"an object with the labels {list(labels)}")
    return value if isinstance(value, dict) else {}
