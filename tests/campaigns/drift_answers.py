"""Answers of the shipped bundle to good, spoilt and foreign images, asked once and kept in a folder.

For ``drift_rates.py``. Images are spoilt as they were read, before the bundle resizes them.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.classifier import Classifier
from edge_infer.drift import image_facts, projection
from edge_infer.drift.gathering import observe
from edge_infer.drift.observing import Observations
from edge_infer.errors import BrainError
from edge_infer.image_file import open_source
from edge_infer.manifest import canonical_json
from export.drift_baseline import answer_of
from train.corruption.corruptions import corrupt, corruptions, severities

__all__ = ["Answered", "Asker", "planted", "together"]

_SEVERITIES = (1, 3, 5)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Answers to N images.

    Attributes:
        seen: What is compared.
        groups: The patient of each, or the image's own name.
    """

    seen: Observations
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, rows: NDArray[np.intp]) -> "Answered":
        """Return some of them."""
        chosen, seen = rows.tolist(), self.seen
        named = {
            name: tuple(getattr(seen, name)[row] for row in chosen)
            for name in ("labels", "decisions", "reasons", "planes", "devices")
        }
        part = replace(
            seen,
            values=seen.values[rows],
            points=seen.points[rows],
            answered=len(chosen),
            of_series=0,
            **named,
        )
        return Answered(seen=part, groups=tuple(self.groups[row] for row in chosen))


def together(parts: Iterable[Answered]) -> Answered:
    """Return several as one."""
    given = list(parts)
    first = given[0].seen
    named = {
        name: tuple(one for part in given for one in getattr(part.seen, name))
        for name in ("labels", "decisions", "reasons", "planes", "devices")
    }
    seen = replace(
        first,
        values=np.concatenate([part.seen.values for part in given]),
        points=np.concatenate([part.seen.points for part in given]),
        answered=sum(map(len, given)),
        **named,
    )
    return Answered(seen=seen, groups=tuple(group for part in given for group in part.groups))


def _key_of(manifest: Mapping[str, Any]) -> str:
    """Return a digest of what decides an answer: the bundle but for its own baseline, and what is kept of an image."""
    rest = {name: manifest[name] for name in manifest if name not in ("drift", "manifest_sha256")}
    digest = hashlib.sha256(canonical_json(rest))
    for module in (image_facts, projection):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def planted() -> list[tuple[str, int]]:
    """Return the kinds and severities of corruptions that are planted."""
    return [
        (kind, severity)
        for kind in corruptions()
        for severity in severities(kind)
        if severity in _SEVERITIES
    ]


class Asker:
    """Asks once.

    Args:
        data: Of the scans, as ``../shared/data``.
        cache: Folder of what was answered.
    """

    def __init__(self, data: Path, cache: Path) -> None:
        self._data, self._cache = data, cache
        self._classifier = Classifier.load(num_threads=1).keeping(seen=True, embedding=True)
        self.labels = self._classifier.bundle.labels
        self.bundle = self._classifier.bundle
        self.bundle_key = _key_of(self.bundle.manifest)

    def brisc(self, split: str) -> Answered:
        """Return a part of BRISC 2025, one of each copy, without label conflicts."""
        rows = _brisc(self._data, split)
        return self._asked(split, [row for row, _ in rows], [group for _, group in rows])

    def spoilt(self, split: str, kind: str, severity: int) -> Answered:
        """Return the same images, made worse."""
        rows = _brisc(self._data, split)
        made = (
            corrupt(np.asarray(open_source(path).image), kind, severity, (25, number))
            for number, (path, _) in enumerate(rows)
        )
        return self._asked(f"{split}-{kind}-{severity}", made, [group for _, group in rows])

    def external(self, source: str, modality: str = "") -> Answered:
        """Return a set from outside of BRISC."""
        folder = self._data / "external"
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                row
                for row in csv.DictReader(file)
                if row["source"] == source and modality in ("", row["modality"])
            ]
        paths = [folder / row["path"] for row in rows]
        return self._asked(f"{source}{modality}", paths, [row["patient_id"] for row in rows])

    def _asked(
        self, name: str, images: Iterable[Path | NDArray[np.uint8]], groups: list[str]
    ) -> Answered:
        file = self._cache / f"{self.bundle_key}-{name}.npz"
        if not file.is_file():
            self._ask(file, images, groups)
        with np.load(file, allow_pickle=False) as kept:
            words = {key: tuple(kept[key].tolist()) for key in ("labels", "decisions", "reasons")}
            seen = Observations(
                values=kept["values"],
                points=kept["points"],
                planes=("",) * len(kept["labels"]),
                devices=("",) * len(kept["labels"]),
                answered=len(kept["labels"]),
                of_series=0,
                **words,
            )
            return Answered(seen=seen, groups=tuple(kept["groups"].tolist()))

    def _ask(
        self, file: Path, images: Iterable[Path | NDArray[np.uint8]], groups: list[str]
    ) -> None:
        answered: list[str] = []

        def answers() -> Iterator[object]:
            outcomes = self._classifier.predict_each(
                Image.fromarray(one) if isinstance(one, np.ndarray) else one for one in images
            )
            for outcome, group in zip(outcomes, groups, strict=True):
                if outcome.prediction is not None:
                    answered.append(group or f"image {len(answered)}")
                    yield answer_of(outcome.prediction)
                elif not isinstance(outcome.error, BrainError):
                    raise RuntimeError("no answer and no error")

        seen = observe(answers())  # type: ignore[arg-type]  # a generator within a method
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp.npz")
        np.savez_compressed(
            temporary,
            values=seen.values,
            points=seen.points,
            labels=np.array(seen.labels),
            decisions=np.array(seen.decisions),
            reasons=np.array(seen.reasons),
            groups=np.array(answered),
        )
        temporary.replace(file)


def _brisc(data: Path, split: str) -> list[tuple[Path, str]]:
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [
            (data / row["path"], row["group"] or row["path"])
            for row in csv.DictReader(file)
            if row["dataset"] == "brisc2025"
            and row["proposed_split"] == split
            and row["first_of_copies"] == "1"
            and row["label_conflict"] != "1"
        ]
