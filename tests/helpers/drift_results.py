"""Results on disk, of brain-batch and of brain-infer, and a bundle that they are of."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from batch_rows import METADATA, batch_row, failed_row, written
from drifting import drawn
from tiny_bundle import bundle_files, manifest_body

from edge_infer.batch.partition_files import PARTS
from edge_infer.bundle import Bundle, write_bundle
from edge_infer.contract import LABELS
from edge_infer.drift.fitting import fit_baseline
from edge_infer.drift.image_facts import FACTS
from edge_infer.drift.observing import Answer


def drift_bundle(folder: Path, **changes: Any) -> Bundle:
    """A bundle whose baseline are 600 drawn answers, or what is given."""
    drift = fit_baseline(drawn(600, 0), labels=LABELS, source="drawn answers")
    return write_bundle(folder, bundle_files(), manifest_body(**{"drift": drift, **changes}))


def batch_results(
    folder: Path, answers: Iterable[Answer], bundle: Bundle, *, failed: int = 0, **options: Any
) -> Path:
    """The parts of an output of brain-batch."""
    from dataclasses import replace

    metadata = replace(
        METADATA, manifest_sha256=bundle.manifest["manifest_sha256"], facts=FACTS, labels=LABELS
    )
    rows = [
        batch_row(
            unit,
            label=answer.label,
            score=max(answer.probabilities),
            probabilities=list(answer.probabilities),
            decision=answer.decision,
            reasons=list(answer.reasons),
            scope_score=answer.scope_score,
            image_facts=None if answer.facts is None else list(answer.facts),
            embedding=None if answer.embedding is None else answer.embedding.tolist(),
            plane=answer.plane or None,
            device=answer.device or None,
            series_instance_uid=answer.series or None,
        )
        for unit, answer in enumerate(answers)
    ]
    rows += [failed_row(len(rows) + number) for number in range(failed)]
    written(folder, 0, rows, metadata=metadata, **{"formats": ("jsonl",), **options})
    return folder / PARTS


def infer_lines(file: Path, answers: Iterable[Answer], digest: str, *, failed: int = 0) -> Path:
    """A file of brain-infer --json."""
    lines: list[dict[str, Any]] = [
        {
            "status": "ok",
            "label": answer.label,
            "probabilities": dict(zip(LABELS, answer.probabilities, strict=True)),
            "decision": answer.decision,
            "reasons": list(answer.reasons),
            "scope": {"score": answer.scope_score, "threshold": 2.0},
            "scan": {"plane": answer.plane or None, "series_instance_uid": answer.series or None},
            "model": {"name": "tiny", "precision": "fp32", "manifest_sha256": digest},
        }
        for answer in answers
    ]
    lines += [{"status": "error", "error": {"code": "corrupt_image"}}] * failed
    lines += [{"status": "skipped"}, {"kind": "series", "finding": "abstain"}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file
