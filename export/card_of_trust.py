"""The part of the model card that says when a bundle abstains, what the thresholds were fitted on, and their limits."""

from collections.abc import Mapping
from typing import Any

from edge_infer.classes import BRAIN, Classes
from export.markdown import plain
from export.trust.set_fit import least_groups

__all__ = ["series_section", "trust_section"]

_WAYS = {
    "out-of-fold": "Each answer is that of a model that was trained without this patient.",
    "validation": (
        "**The validation part also chose the training epoch and has few patients of some classes: expect less than is "
        "promised on images from elsewhere.**"
    ),
    "site": "These are images of the site that uses the bundle.",
}


def trust_section(manifest: Mapping[str, Any], classes: Classes = BRAIN) -> str:
    """Render the section; what was not fitted is said."""
    count = "four" if classes.is_brain else str(len(classes))
    trust = manifest.get("trust")
    sections = ["## When it abstains\n"]
    if trust is None:
        sections.append(
            "This bundle has neither a scope check nor prediction sets: it gives one of the "
            f"{count} classes, whatever the image shows.\n"
        )
    else:
        sections += [
            _sets(trust, manifest["calibration"].get("check")),
            _scope(trust["scope"], classes),
        ]
    sections.append(_refits(manifest["provenance"].get("refits", [])))
    return "\n".join(section for section in sections if section)


def series_section(manifest: Mapping[str, Any], classes: Classes = BRAIN) -> str:
    """Render what the rule for series is and what it was fitted on; empty where there is none."""
    series = manifest.get("series")
    if series is None:
        return ""
    fitted = series["fitted_on"]
    if not classes.is_brain:
        negative = plain(classes.negative or "")
        return (
            "## A series of slices\n\n"
            f"The score of a series is the largest mean probability of any class but {negative} over "
            f"{series['slices']} or more neighbouring slices that reach {series['length_mm']:g} mm. Above "
            f"{series['positive']:.3f} it is called evidence, below {series['negative']:.3f} no evidence; between the "
            f"two the series abstains. Fitted on {fitted['volumes']} volumes of {fitted['patients']} patients, and on "
            f"their slices of {negative}: {fitted['source']}.\n"
        )
    return (
        "## A series of slices\n\n"
        f"The score of a series is the largest mean probability of any tumour over {series['slices']} or more "
        f"neighbouring slices that reach {series['length_mm']:g} mm. Above {series['positive']:.3f} it is called "
        f"evidence of a tumour, below {series['negative']:.3f} no evidence; between the two the series abstains. "
        f"Fitted on {fitted['volumes']} volumes of {fitted['patients']} patients, all with a glioma, and on their "
        f"tumour-free slices: {fitted['source']}. Other tumours, thin slices and other planes were not among them.\n"
    )


def _sets(trust: Mapping[str, Any], check: Mapping[str, Any] | None) -> str:
    fitted = trust["fitted_on"]
    promised, target = _percent(1 - trust["alpha"]), _percent(trust["target_accuracy"])
    # 1 is what a bundle says where no score reached the target (export.trust.set_fit.least_score).
    reached = (
        f"with that, {target} of the accepted answers were right where it was fitted."
        if trust["least_score"] < 1
        else f"**no probability was high enough for {target} of the accepted answers to be right where it was fitted, "
        "so nearly nothing is accepted.**"
    )
    lines = [
        (
            "An answer is accepted only if its prediction set has exactly one class and its probability is at least "
            f"{trust['least_score']:.3f}; {reached} "
            f"The set holds the right class in {promised} of the images of each class, counted by patient, "
            "if images are drawn as those it was fitted on. It promises nothing about a single image, nor about images "
            "from elsewhere.\n"
        ),
        f"Fitted on: {fitted['source']}, n {fitted['n']}. {_accepted(fitted)}{_WAYS[fitted['way']]}\n",
        "| class | in the set from probability | patient groups |"
        + (" in the set, validation part |" if check else ""),
        "|---|---|---|" + ("---|" if check else ""),
    ]
    for label, threshold in trust["set_thresholds"].items():
        row = f"| {plain(label)} | {1 - threshold:.3f} | {fitted['groups'][label]} |"
        if check:
            found = check["coverage"][label]
            share = "-" if found["value"] is None else _percent(found["value"], 1)
            row += f" {share} of {found['groups']} groups |"
        lines.append(row)
    needed = least_groups(trust["alpha"])
    few = [plain(label) for label, count in fitted["groups"].items() if count < needed]
    if few:
        lines.append(
            f"\n**Fewer than {needed} patient groups of {', '.join(few)}: with K groups no more than K/(K + 1) can be "
            "promised.**"
        )
    if check:
        lines.append(
            f"\nThe last column is what this very graph answers on other images ({check['source']}, n {check['n']}); "
            f"nothing was fitted there. Mean set size {check['mean_set_size']:.2f}, expected calibration error "
            f"{check['ece']:.3f}."
        )
    return "\n".join(lines) + "\n"


def _accepted(fitted: Mapping[str, Any]) -> str:
    """Say how many images the thresholds accept where they were fitted; older bundles do not know it."""
    if "accepted" not in fitted:
        return ""
    return (
        f"Without the scope check and the doubts about an image, of {fitted['n']} images {fitted['accepted']} were "
        f"accepted, {fitted['right']} of those were right. "
    )


def _scope(scope: Mapping[str, Any] | None, classes: Classes) -> str:
    if scope is None:
        return "There is no scope check: the bundle was made without images.\n"
    fitted = scope["fitted_on"]
    count = next(array["shape"][1] for array in scope["arrays"] if array["name"] == "basis")
    near = (
        "another sequence, or another lesion in a brain, can look near enough"
        if classes.is_brain
        else "other things can look near enough"
    )
    few = " (few, because there were few images)" if fitted["n_train"] < 512 else ""
    return (
        f"An image is out of scope if its score is above {scope['threshold']:.3f}. The score is how far its embedding "
        f"lies from those of {fitted['n_train']} training images ({fitted['train']}), in {count} directions{few} and "
        f"outside of them. The threshold accepts {_percent(scope['accepted'])} of {fitted['n_threshold']} images "
        f"({fitted['threshold']}), "
        "so of images just like them one in twenty is refused. It does not know what it was not asked about: "
        f"{near}. Measured{_where(classes)}.\n"
    )


def _where(classes: Classes) -> str:
    return ": docs/trust.md" if classes.is_brain else " for brain scans: docs/trust.md"


def _refits(records: list[Mapping[str, Any]]) -> str:
    if not records:
        return ""
    lines = ["### Refitted\n", "| on | n | labelled | command |", "|---|---|---|---|"]
    lines += [
        f"| {record['source']} | {record['n']} | {'yes' if record['labelled'] else 'no'} | `{record['command']}` |"
        for record in records
    ]
    return "\n".join(lines) + "\n"


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
