"""What a bundle's manifest says of it, for two columns side by side. Nothing here is measured anew."""

from collections.abc import Mapping
from typing import Any

from edge_infer.bundle import Bundle
from edge_infer.trust import Trust

__all__ = ["bundle_facts"]


def bundle_facts(bundle: Bundle, *, shown: str) -> dict[str, Any]:
    """Return what the manifest says.

    Args:
        bundle: Verified.
        shown: How the bundle was named on the command line.
    """
    manifest = bundle.manifest
    files: Mapping[str, Mapping[str, Any]] = manifest["files"]
    return {
        "shown": shown,
        "model": manifest["model"],
        "precision": manifest["precision"],
        "manifest_sha256": manifest["manifest_sha256"],
        "model_sha256": files["model.onnx"]["sha256"],
        "model_bytes": files["model.onnx"]["size_bytes"],
        "total_bytes": sum(each["size_bytes"] for each in files.values()),
        "schema_version": manifest["schema_version"],
        "image_size": [bundle.preprocessor.height, bundle.preprocessor.width],
        "temperature": bundle.temperature,
        "accuracy": _accuracies(manifest),
        "training": _training(manifest.get("provenance")),
        "trust": _trust(bundle.trust),
        "series_rule": None
        if bundle.series_rule is None
        else bundle.series_rule.words(bundle.classes),
    }


def _accuracies(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the accuracies that it was published with, each with n and interval."""
    found = []
    for metrics in _values(manifest.get("metrics")):
        figure = _at(metrics, "model", "accuracy")
        title = _at(metrics, "title")
        if isinstance(figure, dict) and isinstance(title, str):
            found.append(
                {"title": title, **{key: figure.get(key) for key in ("value", "n", "low", "high")}}
            )
    return found


def _training(provenance: object) -> dict[str, Any]:
    kept = ("data", "data_sha256", "n_train", "recipe", "seed")
    return {key: _at(provenance, key) for key in kept}


def _trust(trust: Trust | None) -> dict[str, Any] | None:
    if trust is None:
        return None
    return {
        "set_thresholds": dict(trust.set_thresholds),
        "least_score": trust.least_score,
        "scope_threshold": trust.scope_threshold,
        "fitted_on": trust.way,
    }


def _values(holder: object) -> list[Any]:
    return list(holder.values()) if isinstance(holder, dict) else []


def _at(holder: object, *keys: str) -> Any:
    """Return what lies there; None where there is no such thing: these fields are for people, and are not checked."""
    for key in keys:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return holder
