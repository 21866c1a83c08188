from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundle import files_with_scope, manifest_body, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.contract import LABELS
from train.trust.answers import TrustAnswers
from train.trust.image_set import AskedImage


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with prediction sets and a scope check."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    write_bundle(folder, files_with_scope(), manifest_body(trust=tiny_trust()))
    return folder


@pytest.fixture
def make_answers() -> Callable[..., TrustAnswers]:
    """Answers without a model: the answered class and its probability, the rest in equal parts."""

    def make(
        labels: Sequence[int],
        predicted: Sequence[int],
        confidence: Sequence[float],
        *,
        groups: Sequence[str] | None = None,
        scores: Sequence[float] | None = None,
        accepted: Sequence[bool] | None = None,
        refused: Sequence[bool] | None = None,
        reasons: Sequence[tuple[str, ...]] | None = None,
        **image: Any,
    ) -> TrustAnswers:
        n = len(labels)
        sure = np.asarray(confidence, dtype=np.float64)
        probabilities = np.repeat((1 - sure)[:, None] / (len(LABELS) - 1), len(LABELS), axis=1)
        probabilities[np.arange(n), predicted] = sure
        names = groups or [""] * n
        return TrustAnswers(
            images=tuple(
                AskedImage(source=b"", name=f"{row}.png", label=label, group=name, **image)
                for row, (label, name) in enumerate(zip(labels, names, strict=True))
            ),
            probabilities=probabilities,
            in_set=1 - probabilities <= 0.5,
            scope_scores=np.asarray(scores if scores is not None else np.zeros(n), dtype=float),
            accepted=np.asarray(accepted if accepted is not None else np.ones(n), dtype=bool),
            refused=np.asarray(refused if refused is not None else np.zeros(n), dtype=bool),
            reasons=tuple(reasons or [()] * n),
        )

    return make
