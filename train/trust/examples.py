"""Example images of each set, accepted and not, of those that a page may show."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from edge_infer.image_file import read_image
from train.trust.answers import TrustAnswers
from train.trust.image_set import NO_CLASS

__all__ = ["DATA_SET_LICENCES", "Example", "examples", "may_be_shown"]

#: Licences of data sets whose manifest does not state one.
DATA_SET_LICENCES = {"brisc2025": "CC BY 4.0 (BRISC 2025, Fateh et al., arXiv 2506.14318)"}
#: How a licence begins that allows an image on a page which is passed on.
_FREE = ("cc0", "cc by ", "cc-by ", "public domain", "drawn by")
_SIDE = 160
_EACH = 3  # accepted, and not accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An image of a set, and what was decided.

    Attributes:
        uri: The image, grey, as a data: URI.
        width: In pixels.
        height: In pixels.
        name: Its name.
        licence: Its licence.
        accepted: Whether the bundle accepts it.
        answered: The class, with its probability.
        truth: The true class; empty if it shows none.
        reasons: Why it is doubted; may be empty.
    """

    uri: str
    width: int
    height: int
    name: str
    licence: str
    accepted: bool
    answered: str
    truth: str
    reasons: str

    @property
    def wrong(self) -> bool:
        """Whether a class is known and another is answered."""
        return bool(self.truth) and not self.answered.startswith(f"{self.truth} ")


def may_be_shown(licence: str) -> bool:
    """Whether a licence, as a manifest states it, allows to pass the image on; unknown ones do not."""
    return licence.lower().startswith(_FREE)


def examples(answers: TrustAnswers, *, seed: int = 0) -> list[Example]:
    """Draw some images that are accepted and some that are not, at random, of those that may be shown."""
    shown = np.array([may_be_shown(image.licence) for image in answers.images], dtype=np.bool_)
    candidates = shown & ~answers.refused
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for decided in (answers.accepted, ~answers.accepted):
        rows = np.flatnonzero(candidates & decided)
        chosen += sorted(generator.permutation(rows)[:_EACH].tolist())
    return list(_drawn(answers, chosen))


def _drawn(answers: TrustAnswers, rows: Sequence[int]) -> Iterator[Example]:
    predicted, names = answers.predicted, answers.classes.names
    for row in rows:
        image = answers.images[row]
        small = read_image(image.source)
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        yield Example(
            uri=_uri(small),
            width=small.width,
            height=small.height,
            name=image.name,
            licence=image.licence,
            accepted=bool(answers.accepted[row]),
            answered=f"{names[predicted[row]]} ({100 * answers.confidence[row]:.0f} %)",
            truth="" if image.label == NO_CLASS else names[image.label],
            reasons=", ".join(answers.reasons[row]),
        )


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
