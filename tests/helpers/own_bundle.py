"""Tiny real bundles of any classes: the graph of ``tiny_bundle``, with as many kernels as there are classes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from tiny_bundle import (
    GOLDEN,
    SIZE,
    bundle_files,
    manifest_body,
    tiny_model,
    tiny_series,
    tiny_trust,
    tiny_weight,
)

from edge_infer.bundle import Bundle, write_bundle
from edge_infer.classes import NEGATIVE_FIELD, Classes
from edge_infer.contract import METADATA_KEY

#: The four brain classes under other names: slices that are gliomas there are masses here.
ORGAN = Classes(("mass", "cyst", "clear", "stone"), "clear")
PETS = Classes(("cat", "dog"))
HUNDRED = Classes(tuple(f"kind {number:02}" for number in range(100)), "kind 07")


def own_files(classes: Classes, *, in_graph: dict[str, Any] | None = None) -> dict[str, bytes]:
    """The files of a bundle; ``in_graph`` changes what the graph's metadata say."""
    contract = {"labels": list(classes.names), NEGATIVE_FIELD: classes.negative}
    metadata = {METADATA_KEY: json.dumps({**contract, **(in_graph or {})})}
    model = tiny_model(labels=classes.names, metadata=metadata)
    files = bundle_files(labels=classes.names, model=model.SerializeToString())
    config = {**json.loads(files["config.json"]), NEGATIVE_FIELD: classes.negative}
    return {**files, "config.json": json.dumps(config).encode()}


def own_body(classes: Classes, **changes: Any) -> dict[str, Any]:
    """The manifest's fields; without a scope check."""
    cells = GOLDEN.reshape(-1, SIZE // 8, 8, SIZE // 8, 8) / 255  # image, row, y, column, x
    logits = np.einsum("nrysx,kcyx->nk", cells, tiny_weight(len(classes))) / (SIZE // 8) ** 2
    answers = [
        {
            "label": classes.names[int(row.argmax())],
            "logits": row.tolist(),
            "fp32_logits": row.tolist(),
        }
        for row in logits
    ]
    trust = tiny_trust(set_thresholds=dict.fromkeys(classes.names, 0.7), scope=None)
    trust["fitted_on"] = {**trust["fitted_on"], "groups": dict.fromkeys(classes.names, 4)}
    return manifest_body(golden=answers, trust=trust, **changes)


def write_own(path: Path, classes: Classes, *, with_rule: bool = False) -> Bundle:
    """Write a bundle and load it back."""
    rule = tiny_series() if with_rule else None
    return write_bundle(path, own_files(classes), own_body(classes, series=rule))
