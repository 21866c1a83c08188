"""Drawn answers of a model that has a baseline, with or without drift."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.parts import Baseline
from edge_infer.baseline.reading import read_baseline
from edge_infer.contract import LABELS
from edge_infer.drift.fitting import fit_baseline
from edge_infer.drift.gathering import observe
from edge_infer.drift.image_facts import FACTS
from edge_infer.drift.observing import Answer, Observations

DIM = 48

Change = Callable[[Answer], dict[str, Any]]


def drawn_answers(n: int, seed: int, **changed: Any) -> Iterator[Answer]:
    """Answers whose numbers hang together, as those of images do: one hidden number moves many of them."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(size=(len(LABELS) + 1, DIM))
    for number in range(n):
        label, hidden = int(generator.integers(len(LABELS))), generator.normal()
        logits = generator.normal(size=len(LABELS)) + 3 * (np.arange(len(LABELS)) == label)
        probabilities = np.exp(logits) / np.exp(logits).sum()
        facts = 50 + 10 * (hidden + generator.normal(size=len(FACTS)))
        embedding = directions[label] + hidden * directions[-1] + generator.normal(size=DIM)
        fields: dict[str, Any] = {
            "probabilities": probabilities.tolist(),
            "label": LABELS[int(probabilities.argmax())],
            "decision": "accept" if probabilities.max() > 0.5 else "abstain",
            "reasons": () if probabilities.max() > 0.5 else ("ambiguous",),
            "scope_score": float(np.exp(generator.normal() / 3)),
            "facts": facts.tolist(),
            "embedding": embedding,
            "plane": ("axial", "coronal")[number % 2],
            "key": str(number),
        }
        yield Answer(**{**fields, **changed})


def drawn(n: int, seed: int, **changed: Any) -> Observations:
    """The same, gathered."""
    return observe(drawn_answers(n, seed, **changed))


def brighter(n: int, seed: int, by: float, share: float = 1.0) -> Observations:
    """Images of which a share has a larger mean grey value."""
    generator = np.random.default_rng([seed, 1])

    def changed() -> Iterator[Answer]:
        for answer in drawn_answers(n, seed):
            facts = list(answer.facts or ())
            facts[0] += by * bool(generator.random() < share)
            yield Answer(
                **{name: getattr(answer, name) for name in Answer.__slots__} | {"facts": facts}
            )

    return observe(changed())


def baseline_of(seen: Observations, **options: Any) -> Baseline:
    """A baseline, as a bundle carries it."""
    options = {"labels": LABELS, "source": "drawn answers", **options}
    return read_baseline(fit_baseline(seen, **options), LABELS)


def repeated(seen: Observations, times: int) -> tuple[Observations, list[str]]:
    """The same images several times, each as one patient's."""
    from dataclasses import replace

    rows: NDArray[np.intp] = np.repeat(np.arange(len(seen)), times)
    named = {
        name: tuple(getattr(seen, name)[row] for row in rows.tolist())
        for name in ("labels", "decisions", "reasons", "planes", "devices")
    }
    copies = replace(seen, values=seen.values[rows], points=seen.points[rows], **named)
    return copies, [f"patient {row}" for row in rows.tolist()]
