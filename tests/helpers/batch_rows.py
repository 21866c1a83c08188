"""Rows of brain-batch as tests need them, and whole outputs of runs that nobody ran."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edge_infer.batch.metadata import Metadata
from edge_infer.batch.partition_files import Format, write_partition
from edge_infer.batch.row import FIELDS, Row
from edge_infer.batch.run_file import Request, RunFile, write_run
from edge_infer.batch.statistics import Statistics

LABELS = ("glioma", "meningioma", "no_tumor", "pituitary")
METADATA = Metadata(
    manifest_sha256="ab" * 32,
    model="efficientnet-lite",
    precision="int8",
    labels=LABELS,
    facts=("mean", "sd"),
    run_id="0123456789abcdef",
)
#: Seconds since 1970 of the first partition.
STARTED = 1_800_000_000.0


def batch_row(unit: int, **changed: Any) -> Row:
    """An image that was answered and accepted, but for what is changed."""
    row: Row = {name: None for name, _, _ in FIELDS}
    row |= {"unit": unit, "row": 0, "kind": "image", "source": f"archive/{unit:06d}.png"}
    row |= {"sha256": f"{unit:064x}", "state": "answered", "decision": "accept", "reasons": []}
    row |= {"label": "glioma", "score": 0.9, "probabilities": [0.9, 0.05, 0.03, 0.02]}
    row |= {"prediction_set": ["glioma"], "scope_score": 1.25, "warnings": []}
    row |= {"width": 512, "height": 512, "image_facts": [60.5, 42.0]}
    assert set(changed) <= set(row)
    return row | changed


def failed_row(unit: int, code: str = "corrupt", **changed: Any) -> Row:
    """An image without an answer."""
    row: Row = {name: None for name, _, _ in FIELDS}
    row |= {"unit": unit, "row": 0, "kind": "image", "source": f"archive/{unit:06d}.png"}
    return row | {"state": "failed", "code": code, "message": "is damaged"} | changed


def written(
    output: Path,
    number: int,
    rows: Iterable[Row],
    *,
    formats: tuple[Format, ...] = ("parquet", "jsonl"),
    metadata: Metadata = METADATA,
    **known: Any,
) -> None:
    """Write a partition, as a worker does."""
    facts = {"units": 10, "started": STARTED, "seconds": 2.0, "worker": "node1-0"} | known
    statistics = Statistics(**facts)
    write_partition(output, number, rows, formats=formats, metadata=metadata, statistics=statistics)


def planned(output: Path, *, units: int, partitions: int, **changed: Any) -> None:
    """Write run.json, as the start of a run does."""
    asked: dict[str, Any] = dict.fromkeys(Request.__dataclass_fields__)
    asked |= {"inputs": ("/archive/2025",), "lists": (), "formats": ("jsonl", "parquet")}
    asked |= {"manifest_sha256": METADATA.manifest_sha256, "embeddings": False}
    asked |= {"versions": {"brain-edge": "0.2.0", "numpy": "2.3.4"}, "partition_size": 1000}
    request = Request(**asked | {"scope": "enforce"})
    run = RunFile(
        **{
            "run_id": METADATA.run_id,
            "request": request,
            "model": METADATA.model,
            "precision": METADATA.precision,
            "labels": LABELS,
            "units": units,
            "partitions": partitions,
            "left_out": ("3 files that are neither images nor scans",),
        }
        | changed
    )
    output.mkdir(parents=True, exist_ok=True)
    write_run(output, run)


def mixed_rows(first: int, count: int) -> Iterator[Row]:
    """Rows of every kind and state, drawn by their number."""
    draw = random.Random(first)  # noqa: S311 -- not for secrets
    for unit in range(first, first + count):
        if draw.random() < 0.01:
            code = draw.choice(["corrupt", "unsupported", "process_died", "timed_out"])
            yield failed_row(unit, code)
            continue
        label = draw.choice(LABELS)
        changes: dict[str, Any] = {"label": label, "prediction_set": [label]}
        if draw.random() < 0.1:
            changes |= {"decision": "abstain", "reasons": ["out_of_scope", "low_quality"]}
        if unit % 3:
            yield batch_row(unit, **changes)
            continue
        changes |= {"kind": "slice", "member": "slices/0001.dcm", "series": 1}
        changes |= {"plane": draw.choice(["axial", "axial", "coronal", "sagittal"])}
        changes |= {"device": draw.choice(["SIEMENS Skyra", "Philips Ingenia", "GE SIGNA Premier"])}
        yield batch_row(unit, **changes)
        yield batch_row(unit, row=1, kind="slice", state="not_asked", label=None, decision=None)
        yield failed_row(unit, "scan_refused", row=2, kind="refused", member="report.dcm")
        finding = draw.choice(["tumour_evidence", "no_tumour_evidence", "abstain"])
        reasons = ["too_few_slices"] if finding == "abstain" else []
        yield batch_row(unit, row=3, kind="series", finding=finding, series=1, reasons=reasons)
