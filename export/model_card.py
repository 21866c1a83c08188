"""The model card: README.md of a bundle, generated from its manifest and never written by hand."""

import json
from collections.abc import Mapping
from typing import Any

from edge_infer.classes import BRAIN, Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from export.card_of_trust import series_section, trust_section
from export.gate_tables import flips_by_class, flips_of
from export.markdown import plain
from export.sources import sources

__all__ = ["INTENDED_USE", "intended_use", "measured", "model_card"]

INTENDED_USE = (
    "Research on classifying single grey brain MRI slices into glioma, meningioma, pituitary tumour and no tumour. "
    "Not for diagnosis, triage or any decision about a patient. Trained on T1-weighted slices of adults from public "
    "collections; other sequences, scanners, ages and body parts are outside of what it has seen. A bundle with a "
    "scope check abstains from most of what is unlike its training images, not from all of it; one without gives one "
    "of the four classes, whatever the image shows."
)


#: Of more classes, only so many are named.
_NAMED = 10


def intended_use(classes: Classes) -> str:
    """Return what a model is for.

    Args:
        classes: That it tells apart.
    """
    if classes.is_brain:
        return INTENDED_USE
    more = len(classes) - _NAMED
    names = ", ".join(classes.names[:_NAMED]) + (f" and {more} more classes" if more > 0 else "")
    nothing = (
        "None of the classes says that nothing is there. "
        if classes.negative is None
        else f"{classes.negative} says that nothing is there. "
    )
    return (
        f"Research on classifying single grey images into {names}. {nothing}"
        "Not for diagnosis, triage or any decision about a patient. Images unlike those that it was trained on are "
        "outside of what it has seen. A bundle with a scope check abstains from most of what is unlike its training "
        f"images, not from all of it; one without gives one of the {len(classes)} classes, whatever the image shows."
    )


def _intended_use(classes: Classes) -> str:
    return INTENDED_USE if classes.is_brain else plain(intended_use(classes))


def model_card(manifest: Mapping[str, Any], classes: Classes = BRAIN) -> str:
    """Render the card.

    Args:
        manifest: The manifest's fields as they will be written.
        classes: Of the model.
    """
    # Sorted as in manifest.json, so that the written manifest gives the same card.
    manifest = json.loads(json.dumps(manifest, sort_keys=True))
    sections = [
        _front_matter(classes),
        f"# {manifest['model']}, {manifest['precision']}\n\n**{RESEARCH_USE_ONLY}**\n",
        f"## Intended use\n\n{_intended_use(classes)}\n",
        "## Measured\n",
        measured(manifest["metrics"])
        or "Nothing was measured: this bundle was made without an evaluation.\n",
        trust_section(manifest, classes),
        series_section(manifest, classes),
        _gate(manifest["gate"], classes),
        _tried(manifest["quantization"]),
        _provenance(manifest),
    ]
    return "\n".join(section for section in sections if section)


def _front_matter(classes: Classes) -> str:
    tags = "brain-tumor, mri, onnx" if classes.is_brain else "onnx"
    return f"---\nlicense: apache-2.0\npipeline_tag: image-classification\ntags: [{tags}]\n---\n"


def measured(metrics: Mapping[str, Any]) -> str:
    """Render evaluations as tables, each with its command.

    Args:
        metrics: By name, what ``train.evaluation.evaluate`` writes to metrics.json.
    """
    lines: list[str] = []
    for name, entry in metrics.items():
        lines.append(f"### {entry['title']}\n")
        lines.append("| figure | value | 95 % interval | n |\n|---|---|---|---|")
        lines += [
            _row(label, entry["model"].get(key))
            for key, label in _FIGURES
            if entry["model"].get(key)
        ]
        lines += [
            _row(f"recall {plain(label)}", figures["recall"])
            for label, figures in entry["model"]["per_class"].items()
        ]
        for baseline, figures in entry["baselines"].items():
            lines.append(
                _row(f"accuracy of the baseline {baseline.replace('_', ' ')}", figures["accuracy"])
            )
        lines.append(f"\nMeasured by: `{entry['provenance'].get('command', name)}`\n")
    return "\n".join(lines)


_FIGURES = (
    ("accuracy", "accuracy"),
    ("accuracy_by_group", "accuracy, interval by patient group"),
    ("balanced_accuracy", "balanced accuracy"),
    ("macro_f1", "macro F1"),
    ("roc_auc_macro", "ROC AUC, mean of the classes"),
    ("tumor_called_no_tumor", "tumour called no_tumor"),
    ("positive_called_negative", "another class called the negative one"),
)


def _row(label: str, figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"| {label} | - | - | {figure['n']} |"
    return (
        f"| {label} | {100 * figure['value']:.2f} % | {100 * figure['low']:.1f}..{100 * figure['high']:.1f} % "
        f"| {figure['n']} |"
    )


def _gate(gate: Mapping[str, Any] | None, classes: Classes) -> str:
    if gate is None:
        return ""
    what = "tumour" if classes.is_brain else "another class"
    negative = plain(classes.negative or "")
    agreement = gate["agreement"]
    lines = [
        "## INT8 gate\n",
        f"Judged on {gate['source']}. "
        + (
            "**Synthetic images: this says nothing about patients.**"
            if gate["synthetic"]
            else "Validation part only."
        ),
        (
            f"\nAgreement with FP32: {100 * agreement['value']:.2f} % "
            f"({100 * agreement['low']:.2f}..{100 * agreement['high']:.2f}), n {agreement['n']}; "
            f"required {100 * gate['min_agreement']:g} %.\n"
        ),
        "| class | n | recall FP32 | recall INT8 | flips |\n|---|---|---|---|---|",
    ]
    for name, row in gate["per_class"].items():
        lines.append(
            f"| {plain(name)} | {row['n']} | {100 * row['recall_fp32']:.2f} % | {100 * row['recall_int8']:.2f} % "
            f"| {row['flips']} |"
        )
    flips = flips_of(gate)
    if flips is not None:
        named = f"{what[0].upper()}{what[1:]} to {negative}"
        lines.append(f"\n{named} flips where FP32 was right: {flips}.\n")
    close = gate.get("too_close")
    if close is not None:
        lost = flips_of(close)
        lines.append(
            f"Too close to call, judged apart (FP32 leads by less than {close['margin_logits']:g}): {close['count']} "
            f"of {close['n']}, allowed {100 * close['max_share']:g} %; answered otherwise {close['flips']}"
            + ("" if lost is None else f", {what} to {negative} {lost}")
            + ".\n"
        )
    corrupted = gate.get("corrupted")
    if corrupted is not None:
        same, flipped = corrupted["agreement"], corrupted.get("flips")
        lines.append(
            f"On {corrupted['n']} corrupted variants of {corrupted['pictures']} of these images (docs/gate.md): "
            f"agreement {100 * same['value']:.2f} % ({100 * same['low']:.2f}..{100 * same['high']:.2f}), required "
            f"{100 * corrupted['min_agreement']:.0f} %"
            + ("" if flipped is None else _flipped(flipped, f"{what} to {negative}"))
            + ".\n"
        )
    return "\n".join(lines)


def _flipped(flips: Mapping[str, Any], named: str) -> str:
    bound = f", at most {100 * flips['high']:.3f} %" if flips["high"] is not None else ""
    return f"; {named} flips {flips['count']} of {flips['n']}{bound} (95 % interval)"


def _tried(quantization: Mapping[str, Any]) -> str:
    tried = quantization.get("tried")
    if not tried:
        return ""
    lines = [
        "## Quantizations that were tried\n",
        (
            f"Shipped: **{quantization['name']}**. Latency: median of one image with one thread on the machine of "
            f"the export, measured in turn; FP32 took {quantization['fp32_p50_ms']} ms there.\n"
        ),
        "| name | gate | agreement | flips by class | p50, ms | MB |\n|---|---|---|---|---|---|",
    ]
    for name, row in tried.items():
        flips = flips_by_class(row["per_class"], between=" / ")
        lines.append(
            f"| {name} | {'passed' if row['passed'] else 'failed'} | {100 * row['agreement']['value']:.2f} % "
            f"| {flips} | {row['p50_ms']} | {row['size_bytes'] / 1e6:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _provenance(manifest: Mapping[str, Any]) -> str:
    lines = ["## Where it comes from\n", "| field | value |\n|---|---|"]
    lines += [
        f"| {key} | {value} |"
        for key, value in manifest["provenance"].items()
        if not isinstance(value, dict | list)
    ]
    lines.append(
        f"| temperature | {manifest['calibration']['temperature']} ({manifest['calibration']['fitted_on']}) |"
    )
    return "\n".join([*lines, "", *(f"- {line}" for line in sources(manifest["provenance"])), ""])
