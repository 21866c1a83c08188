"""What a person should look at before a refitted bundle is used."""

from collections.abc import Sequence
from pathlib import Path

from edge_infer.bundle import Bundle
from edge_infer.names import counted, shown_name
from export.refit.answers import SiteAnswers
from export.refit.refitting import Refit

__all__ = ["cautions_after", "cautions_before"]

#: Where fewer are in scope, these images are unlike those of the threshold, for a good reason or a bad one.
_USUAL = 0.8

#: A threshold that rises by more accepts what the bundle was never asked about.
_LARGEST_RISE = 1.25

#: Right answers among labelled images; the shipped model gives at least so many on scans it was made for.
_LEAST_RIGHT = 0.8

_NAMED = 10


def cautions_before(site: SiteAnswers, folder: Path) -> list[str]:
    """Return, before anything is fitted, which images are not used and why."""
    said = []
    if site.copies:
        said.append(f"left out: {site.copies} whose bytes are those of another")
    if site.doubtful:
        said.append(
            f"left out: {counted(len(site.doubtful), 'image')} on which the bundle abstains whatever its thresholds "
            f"are: {_named([(path, ', '.join(reasons)) for path, reasons in site.doubtful], folder)}"
        )
    if site.unknown_groups:
        said.append(
            f"of {site.unknown_groups} images no patient is known: each counts as a patient of its own, so with "
            "several slices of a patient thresholds and baseline are less sure than they say (--manifest with "
            "patient_id)"
        )
    return said


def cautions_after(old: Bundle, site: SiteAnswers, fitted: Refit, folder: Path) -> list[str]:
    """Return what is odd about a fit."""
    said = []
    accuracy = fitted.record.get("accuracy", 1.0)
    if accuracy < _LEAST_RIGHT:
        said.append(
            f"warning: only {100 * accuracy:.1f} % of the labelled images are answered rightly: labels may be wrong, "
            "or the site is too different for this model; do not use the new bundle before you know which"
        )
    scope = fitted.scope
    if scope is None:
        return said
    if scope.before < _USUAL:
        said.append(
            f"only {100 * scope.before:.1f} % of these images were in scope: look at some of the others before the new "
            "bundle is used, because it accepts what is like them"
        )

    def scored(rows: Sequence[int]) -> list[tuple[Path, str]]:
        return [(site.paths[row], f"{scope.scores[row]:.2f}") for row in rows]

    if scope.far:
        rows = scored(scope.far)
        said.append(
            f"left out of the scope threshold, because far from the rest: {counted(len(rows), 'image')}: "
            f"{_named(rows, folder)}; if they are right, give labels: then they count"
        )
    if scope.newly:
        rows = scored(scope.newly)
        said.append(
            f"out of scope until now, and accepted by the new threshold: {counted(len(rows), 'image')}: "
            f"{_named(rows, folder)}"
        )
    was, now = old.manifest["trust"]["scope"]["threshold"], scope.described["threshold"]
    if now > _LARGEST_RISE * was:
        said.append(
            f"warning: the scope threshold rises from {was:.2f} to {now:.2f}, by more than a quarter: make sure that "
            "all these images are ones the model is meant for, or the new bundle answers on others too"
        )
    return said


def _named(rows: Sequence[tuple[Path, str]], folder: Path) -> str:
    """Return the first ten with what is to be said of each, and how many more there are."""
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return ", ".join(f"{_below(path, folder)} ({what})" for path, what in rows[:_NAMED]) + more


def _below(path: Path, folder: Path) -> str:
    # Scans of different patients often have the same name, so the folders below the given one are shown too.
    return shown_name(path.relative_to(folder) if path.is_relative_to(folder) else path.name)
