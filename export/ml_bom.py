"""What a bundle is made of, as a machine-learning bill of materials (ML-BOM) in CycloneDX 1.6.

Everything in it is taken from the bundle's manifest, so nothing is typed by hand. The same bundle gives the same bytes.
Source: ECMA-424, CycloneDX 1.6, ``modelCard``.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from edge_infer.bundle import Bundle
from edge_infer.contract import INPUT_NAME, OUTPUT_NAMES, RESEARCH_USE_ONLY

__all__ = ["ml_bom"]

#: Names of licences and rights of the public collections that training can use (docs/data.md).
_DATA_SETS = {
    "brisc2025": "BRISC 2025, CC BY 4.0",
    "tcia_btp": "Brain-Tumor-Progression, TCIA, CC BY 4.0",
}

#: Of the figures of an evaluation, those that are shares with an interval.
_SHARES = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc_macro", "tumor_called_no_tumor")


def ml_bom(bundle: Bundle) -> dict[str, Any]:
    """Return the ML-BOM of a bundle as JSON's objects.

    Args:
        bundle: A verified bundle; what its manifest does not say is left out.
    """
    manifest = bundle.manifest
    name = f"{manifest['model']}-{manifest['precision']}"
    provenance = manifest["provenance"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # The same bundle is the same document: no time, and a number that follows from its digest.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, manifest['manifest_sha256'])}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "machine-learning-model",
                "bom-ref": name,
                "name": name,
                "version": manifest["manifest_sha256"][:16],
                "description": manifest["intended_use"],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "hashes": _hashes(manifest["files"]["model.onnx"]),
                "modelCard": _model_card(bundle),
                "properties": list(
                    _properties(
                        manifest_sha256=manifest["manifest_sha256"],
                        schema_version=manifest["schema_version"],
                        opset=manifest["opset"],
                        recipe=provenance.get("recipe"),
                        seed=provenance.get("seed"),
                        data_manifest_sha256=provenance.get("data_sha256"),
                        initial_weights=provenance.get("weights"),
                        command=provenance.get("command"),
                    )
                ),
            }
        },
        "components": [
            {
                "type": "file",
                "bom-ref": f"{name}/{file}",
                "name": file,
                "hashes": _hashes(described),
            }
            for file, described in sorted(manifest["files"].items())
        ]
        + [
            {
                "type": "library",
                "bom-ref": f"made-with/{tool}",
                "name": tool,
                "version": str(version),
            }
            for tool, version in sorted(provenance.get("versions", {}).items())
        ],
        "dependencies": [
            {"ref": name, "dependsOn": [f"{name}/{file}" for file in sorted(manifest["files"])]}
        ],
    }


def _model_card(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    card: dict[str, Any] = {
        "modelParameters": {
            "task": "image classification",
            "architectureFamily": str(bundle.config.get("model_type", manifest["model"])),
            "modelArchitecture": manifest["model"],
            "datasets": [_data_set(bundle)],
            "inputs": [{"format": f"{INPUT_NAME}: float32, (batch, 3, H, W)"}],
            "outputs": [{"format": f"{output}: float32"} for output in OUTPUT_NAMES],
        },
        "considerations": {
            "useCases": [manifest["intended_use"]],
            "technicalLimitations": [RESEARCH_USE_ONLY, *_limitations(bundle)],
        },
    }
    figures = list(_figures(manifest["metrics"]))
    if figures:
        card["quantitativeAnalysis"] = {"performanceMetrics": figures}
    return card


def _data_set(bundle: Bundle) -> dict[str, Any]:
    provenance = bundle.manifest["provenance"]
    stated = str(provenance.get("data", "not stated"))
    names = [_DATA_SETS.get(each.strip(), each.strip()) for each in stated.split(",")]
    return {
        "type": "dataset",
        "name": stated,
        "description": f"trained on {'; '.join(names)}; labels {', '.join(bundle.labels)}",
        "classification": "public, without names of patients"
        if stated in _ALL_PUBLIC
        else "not stated",
    }


_ALL_PUBLIC = {", ".join(_DATA_SETS), *_DATA_SETS}


def _limitations(bundle: Bundle) -> Iterator[str]:
    if bundle.trust is None:
        yield "states no thresholds: answers are never abstained from because the model is unsure"
    if bundle.scope_model is None:
        yield "has no scope check: gives one of its classes, whatever the image shows"
    gate = bundle.manifest.get("gate")
    if gate:
        agreement = gate["agreement"]
        yield (
            f"INT8 agrees with FP32 in {100 * agreement['value']:.2f} % of {agreement['n']} images "
            f"(95 % interval {100 * agreement['low']:.2f} to {100 * agreement['high']:.2f})"
        )


def _figures(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for measured in metrics.values():
        model = measured["model"]
        for figure in _SHARES:
            if figure in model:
                yield from _figure(figure, measured["title"], model[figure])
        for label, values in model.get("per_class", {}).items():
            if "recall" in values:
                yield from _figure(f"recall {label}", measured["title"], values["recall"])


def _figure(name: str, measured_on: str, figure: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if figure.get("value") is None:
        return
    yield {
        "type": name,
        "value": str(figure["value"]),
        "slice": f"{measured_on}, n {figure['n']}",
        "confidenceInterval": {
            "lowerBound": str(figure["low"]),
            "upperBound": str(figure["high"]),
        },
    }


def _hashes(described: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": described["sha256"]}]


def _properties(**stated: object) -> Iterator[dict[str, str]]:
    for name, value in stated.items():
        if value is not None:
            yield {"name": f"brain-edge:{name}", "value": str(value)}
