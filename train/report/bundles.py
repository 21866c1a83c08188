"""Which bundles were exported from which run, and the results of their gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.bundle import load_bundle
from edge_infer.errors import BundleIncompatible
from train.report.runs import RunFacts

__all__ = ["BundleFacts", "bundles_of_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """Facts about a bundle.

    Attributes:
        name: Name of its folder.
        precision: ``fp32``, ``fp16`` or ``int8``.
        size_bytes: Size of model.onnx.
        agreement: Share of the gate's images that INT8 answers as FP32 does, as a figure; None without a gate.
        gate_source: The gate's images.
        gate_synthetic: Whether they are phantoms: then the agreement says nothing about scans.
        manifest_sha256: Identifies the bundle.
    """

    name: str
    precision: str
    size_bytes: int
    agreement: dict[str, Any] | None
    gate_source: str
    gate_synthetic: bool
    manifest_sha256: str


def bundles_of_runs(
    folders: Sequence[Path], runs: Sequence[RunFacts]
) -> dict[int, dict[str, BundleFacts]]:
    """Read and verify bundles, and assign each to its run.

    Returns:
        By the run's number and by precision.

    Raises:
        BundleError: A bundle is damaged or belongs to none of the runs, or a run has two of one precision.
    """
    found: dict[int, dict[str, BundleFacts]] = {run.number: {} for run in runs}
    for folder in folders:
        manifest = load_bundle(folder).manifest
        owners = [run for run in runs if _is_of(manifest, run)]
        facts = _facts(folder, manifest)
        if not owners:
            raise BundleIncompatible(
                f"bundle {facts.name}: was exported from none of the given runs "
                f"(model {manifest['model']}, recipe {manifest['provenance'].get('recipe')})",
                hint="add its run, export the run again, or leave the bundle out",
            )
        for run in owners:
            if facts.precision in found[run.number]:
                raise BundleIncompatible(
                    f"bundle {facts.name}: a second {facts.precision} bundle of run {run.name}",
                    hint="give one bundle of each precision",
                )
            found[run.number][facts.precision] = facts
    return found


def _is_of(manifest: dict[str, Any], run: RunFacts) -> bool:
    """Whether model, recipe, seed, data and best accuracy are the run's: all that a bundle states of its origin."""
    provenance = manifest["provenance"]
    return bool(
        manifest["model"] == run.model
        and provenance.get("recipe") == run.recipe.get("name", "unknown")
        and provenance.get("seed") == run.recipe.get("seed", "unknown")
        and provenance.get("data_sha256") == run.known.get("data_sha256", "unknown")
        and provenance.get("best_val_accuracy") == run.known.get("best_val_accuracy", "unknown")
    )


def _facts(folder: Path, manifest: dict[str, Any]) -> BundleFacts:
    gate = manifest["gate"] or {}
    return BundleFacts(
        name=folder.resolve().name,
        precision=manifest["precision"],
        size_bytes=manifest["files"]["model.onnx"]["size_bytes"],
        agreement=gate.get("agreement"),
        gate_source=str(gate.get("source", "")),
        gate_synthetic=bool(gate.get("synthetic", False)),
        manifest_sha256=manifest["manifest_sha256"],
    )
