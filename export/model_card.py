"""The model card: README.md of a bundle, generated from its manifest and never written by hand."""

import json
from collections.abc import Mapping
from typing import Any

from edge_infer.contract import RESEARCH_USE_ONLY
from export.card_of_trust import series_section, trust_section
from export.sources import sources

__all__ = ["INTENDED_USE", "measured", "model_card"]

INTENDED_USE = (
    "Research on classifying single grey brain MRI slices into glioma, meningioma, pituitary tumour and no tumour. "
    "Not for diagnosis, triage or any decision about a patient. Trained on T1-weighted slices of adults from public "
    "collections; other sequences, scanners, ages and body parts are outside of what it has seen. A bundle with a "
    "scope check abstains from most of what is unlike its training images, not from all of it; one without gives one "
    "of the four classes, whatever the image shows."
)


def model_card(manifest: Mapping[str, Any]) -> str:
    """Render the card.

    Args:
        manifest: The manifest's fields as they will be written.
    """
    # Sorted as in manifest.json, so that the written manifest gives the same card.
    manifest = json.loads(json.dumps(manifest, sort_keys=True))
    sections = [
        _front_matter(),
        f"# {manifest['model']}, {manifest['precision']}\n\n**{RESEARCH_USE_ONLY}**\n",
        f"## Intended use\n\n{INTENDED_USE}\n",
        "## Measured\n",
        measured(manifest["metrics"])
        or "Nothing was measured: this bundle was made without an evaluation.\n",
        trust_section(manifest),
        series_section(manifest),
        _gate(manifest["gate"]),
        _tried(manifest["quantization"]),
        _provenance(manifest),
    ]
    return "\n".join(section for section in sections if section)


def _front_matter() -> str:
    return "---\nlicense: apache-2.0\npipeline_tag: image-classification\ntags: [brain-tumor, mri, onnx]\n---\n"


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
            _row(f"recall {label}", figures["recall"])
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
)


def _row(label: str, figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"| {label} | - | - | {figure['n']} |"
    return (
        f"| {label} | {100 * figure['value']:.2f} % | {100 * figure['low']:.1f}..{100 * figure['high']:.1f} % "
        f"| {figure['n']} |"
    )


def _gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return ""
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
            f"| {name} | {row['n']} | {100 * row['recall_fp32']:.2f} % | {100 * row['recall_int8']:.2f} % "
            f"| {row['flips']} |"
        )
    lines.append(
        f"\nTumour to no_tumor flips where FP32 was right: {gate['tumor_to_no_tumor_flips']}.\n"
    )
    close = gate.get("too_close")
    if close is not None:
        lines.append(
            f"Too close to call, judged apart (FP32 leads by less than {close['margin_logits']:g}): {close['count']} "
            f"of {close['n']}, allowed {100 * close['max_share']:g} %; answered otherwise {close['flips']}, tumour to "
            f"no_tumor {close['tumor_to_no_tumor_flips']}.\n"
        )
    corrupted = gate.get("corrupted")
    if corrupted is not None:
        same, flips = corrupted["agreement"], corrupted["flips"]
        lines.append(
            f"On {corrupted['n']} corrupted variants of {corrupted['pictures']} of these images (docs/gate.md): "
            f"agreement {100 * same['value']:.2f} % ({100 * same['low']:.2f}..{100 * same['high']:.2f}), required "
            f"{100 * corrupted['min_agreement']:.0f} %; tumour to no_tumor flips {flips['count']} of {flips['n']}"
            + (f", at most {100 * flips['high']:.3f} %" if flips["high"] is not None else "")
            + " (95 % interval).\n"
        )
    return "\n".join(lines)


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
        flips = " / ".join(str(entry["flips"]) for entry in row["per_class"].values())
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
