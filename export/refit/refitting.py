"""New thresholds for a bundle from a site's own images: the model, its weights and its directions stay as they are.

Without labels only the threshold of the scope check is fitted, so that this site's usual images are accepted as often
as the bundle says; those far from the rest are left out (``export.refit.scope_refit``). With labels temperature and
prediction sets are fitted too: what they promise holds for images drawn as those they were fitted on, which a site's
own are and a public collection's are not (exchangeability; Angelopoulos, Bates, 2021,
https://arxiv.org/abs/2107.07511).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_infer.bundle import Bundle
from edge_infer.errors import BundleIncompatible, DataRefused
from edge_infer.prediction import softmax
from edge_infer.scope import ScopeModel
from edge_infer.version import __version__
from export.refit.answers import SiteAnswers
from export.refit.scope_refit import ScopeRefit, refit_scope
from export.temperature import temperature_fields
from export.trust.set_fit import (
    ALPHA,
    TARGET_ACCURACY,
    group_counts,
    least_groups,
    prediction_sets,
)
from export.trust.sets import sets_fields

__all__ = ["LEAST_IMAGES", "Refit", "check_bundle", "refit"]

#: With fewer, the 95 % threshold hangs on one or two images.
LEAST_IMAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """What is new, and how it went.

    Attributes:
        calibration: ``calibration`` of the new manifest.
        trust: ``trust`` of the new manifest.
        record: An entry of ``provenance.refits``.
        scope: The new threshold of the scope check; None where the bundle has none.
    """

    calibration: dict[str, Any]
    trust: dict[str, Any]
    record: dict[str, Any]
    scope: ScopeRefit | None


def check_bundle(bundle: Bundle, *, labelled: bool) -> None:
    """Refuse a bundle that cannot be refitted, before minutes of work.

    Raises:
        BundleIncompatible: It has no golden images, or without labels no scope check.
    """
    if bundle.golden_png is None:
        raise BundleIncompatible(
            "bundle is of schema 1, which has no golden images",
            hint="export it again, then refit the new one",
        )
    if not labelled and _scope_of(bundle) is None:
        raise BundleIncompatible(
            "bundle has no scope check, and images without labels can refit nothing else",
            hint="give labels, or export a bundle with a scope check (brain-export --data)",
        )


def refit(
    bundle: Bundle, scope_bin: bytes | None, site: SiteAnswers, *, source: str, command: str
) -> Refit:
    """Fit what the images allow.

    Args:
        bundle: As ``check_bundle`` accepts it.
        scope_bin: Its scope.bin; None without a scope check.
        site: What it answers on the site's images.
        source: What the images are, in words.
        command: That was typed.

    Raises:
        DataRefused: There are too few images or patients; or, without labels, most images are out of scope.
    """
    _check_amount(bundle, site)
    record: dict[str, Any] = {
        "command": command,
        "from": bundle.manifest["manifest_sha256"],
        "labelled": site.labels is not None,
        "left_out_by_checks": len(site.doubtful),
        "n": len(site.logits),
        "patients_unknown": site.unknown_groups,
        "source": source,
        "version": __version__,
    }
    calibration = dict(bundle.manifest["calibration"])
    trust = dict(bundle.manifest.get("trust") or {})
    described, scope = _scope_of(bundle), None
    if described is not None and scope_bin is not None:
        scores = ScopeModel.from_bundle(described, scope_bin, len(bundle.classes)).score(
            site.embeddings
        )
        scope = refit_scope(described, scores, labelled=site.labels is not None, source=source)
        record["in_scope_before"] = round(scope.before, 4)
        record["in_scope_after"] = round(scope.after, 4)
        record["left_out_as_far"] = len(scope.far)
    if site.labels is not None:
        calibration = temperature_fields(site.logits, site.labels, site.groups, fitted_on=source)
        probabilities = softmax(site.logits, calibration["temperature"])
        trust = sets_fields(
            probabilities,
            site.labels,
            site.groups,
            source=source,
            way="site",
            classes=bundle.classes,
            alpha=trust.get("alpha", ALPHA),
            target=trust.get("target_accuracy", TARGET_ACCURACY),
        )
        sizes = prediction_sets(probabilities, list(trust["set_thresholds"].values())).sum(axis=1)
        record["accuracy"] = round(float((probabilities.argmax(axis=1) == site.labels).mean()), 4)
        record["mean_set_size"] = round(float(sizes.mean()), 4)
    trust["scope"] = scope.described if scope else described
    return Refit(calibration=calibration, trust=trust, record=record, scope=scope)


def _scope_of(bundle: Bundle) -> Mapping[str, Any] | None:
    trust = bundle.manifest.get("trust")
    return trust["scope"] if trust else None


def _check_amount(bundle: Bundle, site: SiteAnswers) -> None:
    if len(site.logits) < LEAST_IMAGES:
        others = (
            f" besides {len(site.doubtful)} that the image checks refuse" if site.doubtful else ""
        )
        raise DataRefused(
            f"{len(site.logits)} different images{others}, expected at least {LEAST_IMAGES}",
            hint="collect more: thresholds from so few would be chance",
        )
    if site.labels is None:
        return
    alpha = (bundle.manifest.get("trust") or {}).get("alpha", ALPHA)
    needed = least_groups(alpha)
    counts = group_counts(site.labels, site.groups, len(bundle.classes))
    few = [
        f"{label} {count}"
        for label, count in zip(bundle.labels, counts, strict=True)
        if count < needed
    ]
    if few:
        raise DataRefused(
            f"too few patients of {', '.join(few)}; expected at least {needed} of each class (alpha {alpha:g})",
            hint="collect more, or refit without labels: then only the scope check is fitted",
        )
