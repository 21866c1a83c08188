"""Where a result comes from, and the identifiers that follow from that."""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_infer.series.result import SeriesResult, SliceAnswer
from edge_infer.structured.algorithm import Algorithm
from edge_infer.structured.codes import CodeScheme
from edge_infer.structured.source import Source
from edge_infer.structured.uids import derived_uid

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an object is made from.

    Attributes:
        source: Whose it is.
        algorithm: Whose result it is.
        key: What the result says, without its decimals: those of two machines may differ in the last place, and it is
            the same result all the same.
    """

    source: Source
    algorithm: Algorithm
    key: tuple[str, ...]

    def uid(self, *what: str) -> str:
        """Return the identifier of a part of this result; the same whenever and wherever it is made again."""
        algorithm = (self.algorithm.version, self.algorithm.manifest_sha256, self.algorithm.scope)
        return derived_uid(*self.source.key, *algorithm, *self.key, "of", *what)


def origin_of(
    result: SeriesResult, source: Source, algorithm: Algorithm, codes: CodeScheme
) -> Origin:
    """Return where the objects of a result come from."""
    return Origin(
        source=source,
        algorithm=algorithm,
        key=(
            codes,
            result.rule,
            result.finding,
            result.label,
            str(result.scored),
            *result.reasons,
            *result.warnings,
            *_answers(result),
        ),
    )


def _answers(result: SeriesResult) -> Iterator[str]:
    for answer in result.slices:
        yield f"{answer.number} {answer.state}{_said(answer)}"


def _said(answer: SliceAnswer) -> str:
    prediction = None if answer.outcome is None else answer.outcome.prediction
    if prediction is None:
        return ""
    return f" {prediction.label} {prediction.decision} {' '.join(prediction.reasons)}"
