"""The result of a pointing game: figures of all images and of subsets as JSON, and every image as CSV."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from train.data.samples import Sample, classes_of
from train.metrics.figures import GroupBootstrap, wilson_interval
from train.metrics.missed import negative_field
from train.pointing.game import SIDE, TOLERANCE, Pointed

__all__ = ["write_pointing"]

_PLANES = {"ax": "axial", "co": "coronal", "sa": "sagittal"}
_SHARES = ("hit_answer", "hit_true", "near_answer", "near_true", "centre", "centre_near")
_MEANS = ("chance", "chance_near", "mass_answer", "mass_true", "iou_answer", "iou_true")


def write_pointing(
    found: Sequence[Pointed],
    samples: Sequence[Sample],
    folder: Path,
    *,
    title: str,
    provenance: dict[str, Any],
    evidence_shape: tuple[int, int],
) -> dict[str, Any]:
    """Write pointing.json and pointing.csv into a folder.

    Args:
        found: From ``point``.
        samples: All of the data set.
        folder: Created if missing.
        title: Names model and data.
        provenance: Model, data, part, command.
        evidence_shape: (h, w) of the evidence.

    Returns:
        What pointing.json holds.
    """
    tables: dict[str, dict[str, Any]] = {}
    for kind, name, members in _parts(found, samples):
        tables.setdefault(kind, {})[name] = _figures(members, samples)
    result = {
        "kind": "pointing",
        "title": title,
        "research_use_only": RESEARCH_USE_ONLY,
        "provenance": provenance,
        **negative_field(classes_of(samples)),
        "evidence_shape": list(evidence_shape),
        "tolerance": {"pixels": TOLERANCE, "of_side": SIDE},
        "all": _figures(found, samples, by_group=True),
        "by": tables,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2, allow_nan=False) + "\n"
    write_bytes_atomically(folder / "pointing.json", text.encode())
    write_bytes_atomically(folder / "pointing.csv", _csv(found, samples))
    return result


def _parts(
    found: Sequence[Pointed], samples: Sequence[Sample]
) -> Iterator[tuple[str, str, list[Pointed]]]:
    """Yield kind, name and members of every subset with figures; none is empty."""
    planes = [_plane(samples[it.row].name) for it in found]
    cuts = np.quantile([it.chance for it in found], (0.25, 0.5, 0.75))
    quarters = np.searchsorted(cuts, [it.chance for it in found], side="left")
    names = {
        "answer": ["right" if it.answer == it.label else "wrong" for it in found],
        "class": [samples[it.row].class_name for it in found],
        "plane": planes,
        "size": [f"quarter {quarter + 1}" for quarter in quarters],
    }
    for kind, of_image in names.items():
        for name in sorted(set(of_image)):
            yield (
                kind,
                name,
                [it for it, its in zip(found, of_image, strict=True) if its == name],
            )


def _plane(name: str) -> str:
    marks = re.split(r"[_.]", PurePosixPath(name).name)
    return next((_PLANES[mark] for mark in marks if mark in _PLANES), "unknown")


def _figures(
    found: Sequence[Pointed], samples: Sequence[Sample], *, by_group: bool = False
) -> dict[str, Any]:
    groups = [samples[it.row].group for it in found]
    bootstrap = GroupBootstrap(len(found), groups=groups)

    def mean_of(name: str) -> dict[str, Any]:
        values = np.array([float(getattr(it, name)) for it in found])
        return asdict(bootstrap(lambda drawn: float(values[drawn].mean())))

    shares = [it.chance for it in found]
    figures: dict[str, Any] = {
        "n": len(found),
        "groups": len(set(groups)),
        "mask_share": {"least": min(shares), "most": max(shares)},
    }
    for name in _SHARES:
        figures[name] = asdict(wilson_interval(sum(getattr(it, name) for it in found), len(found)))
    if by_group:
        figures |= {f"{name}_by_group": mean_of(name) for name in _SHARES}
    return figures | {name: mean_of(name) for name in _MEANS}


def _csv(found: Sequence[Pointed], samples: Sequence[Sample]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = classes_of(samples).names
    plain = [field.name for field in fields(Pointed)][3:]
    writer.writerow(["name", "group", "label", "answer", *plain])
    for it in found:
        sample = samples[it.row]
        cells = [_cell(value) for value in astuple(it)[3:]]
        writer.writerow([sample.name, sample.group, names[it.label], names[it.answer], *cells])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return f"{value[0]:.1f} {value[1]:.1f}"
    return f"{value:.6f}"
