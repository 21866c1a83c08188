"""Ask a bundle about a site's images, one by one, keeping no pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.bundle import Bundle
from edge_infer.decision import ABSTAINING
from edge_infer.doubts import doubts_about
from edge_infer.errors import InputError
from edge_infer.image_file import SourceImage, open_source
from edge_infer.names import shown_name
from edge_infer.prediction import check_outputs
from edge_infer.preprocessing import preprocess
from edge_infer.session import Session
from export.refit.site_images import SiteImage
from export.trust.set_fit import separate_groups
from train.data.problems import refuse

__all__ = ["SiteAnswers", "ask_site"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswers:
    """What a bundle answers on N different images.

    Attributes:
        logits: float32, (N, classes).
        embeddings: float32, (N, dim).
        labels: int64, (N,), class ids; None without labels.
        groups: N patients; an image of an unknown patient is one of its own.
        unknown_groups: Of how many images the patient is not known.
        copies: How many files were left out because their bytes are those of another.
        paths: The N files.
        doubtful: Other files that were left out, each with the reasons for which the bundle abstains on it whatever its
            thresholds are.
    """

    logits: NDArray[np.float32] = field(repr=False)
    embeddings: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] | None = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    unknown_groups: int
    copies: int
    paths: tuple[Path, ...] = field(repr=False)
    doubtful: tuple[tuple[Path, tuple[str, ...]], ...] = field(repr=False)


def ask_site(
    bundle: Bundle,
    session: Session,
    images: Sequence[SiteImage],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    skip_doubtful: bool = False,
) -> SiteAnswers:
    """Read each image as ``brain-infer`` does and ask the bundle.

    Args:
        bundle: The one that will be refitted.
        session: Of this bundle.
        images: At least one; labelled all or none.
        progress: Called with (done, total) after each image.
        skip_doubtful: Leave out images on which the image checks alone make the bundle abstain.

    Raises:
        DataRefused: Images cannot be read, or copies of an image have different labels; all are named.
        InferenceFailed: The runtime failed.
        NonFiniteOutput: The model gave NaN or infinity.
    """
    kept: dict[str, SiteImage] = {}
    used: list[SiteImage] = []
    doubtful: list[tuple[Path, tuple[str, ...]]] = []
    logits, embeddings, problems = [], [], list[str]()
    for done, image in enumerate(images, start=1):
        name = shown_name(image.path.name)
        try:
            opened = open_source(image.path)
        except InputError as error:
            problems.append(f"{name}: {error.code} ({error.message})")
            continue
        first = kept.setdefault(opened.sha256, image)
        reasons = _abstaining(opened) if skip_doubtful and first is image else ()
        if reasons:
            doubtful.append((image.path, reasons))
        elif first is image:
            used.append(image)
            outputs = session.run(preprocess(opened.image, bundle.preprocessor))
            check_outputs(outputs[0][0], outputs[2][0], classes=len(bundle.labels), source=name)
            logits.append(outputs[0][0])
            embeddings.append(outputs[1][0])
        elif first.label != image.label:
            is_same = first.path.resolve() == image.path.resolve()
            said = "listed twice" if is_same else f"a copy of {shown_name(first.path.name)}"
            problems.append(f"{name}: is {said} with another label")
        progress(done, len(images))
    refuse(problems, what="images cannot be used", hint="correct or remove them")
    labels = [image.label for image in used if image.label is not None]
    groups = [image.group for image in used]
    return SiteAnswers(
        logits=np.array(logits, dtype=np.float32),
        embeddings=np.array(embeddings, dtype=np.float32),
        labels=np.array(labels, dtype=np.int64) if labels else None,
        groups=tuple(separate_groups(groups)),
        unknown_groups=groups.count(""),
        copies=len(images) - len(kept),
        paths=tuple(image.path for image in used),
        doubtful=tuple(doubtful),
    )


def _abstaining(opened: SourceImage) -> tuple[str, ...]:
    doubts = doubts_about(opened.image, coloured=opened.coloured)
    return tuple(doubt.reason.value for doubt in doubts if doubt.reason in ABSTAINING)
