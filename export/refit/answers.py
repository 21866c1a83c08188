"""Ask a bundle about a site's images, one by one, keeping no pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_infer.bundle import Bundle
from edge_infer.errors import InputError
from edge_infer.image_file import open_source
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
    """

    logits: NDArray[np.float32] = field(repr=False)
    embeddings: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] | None = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    unknown_groups: int
    copies: int


def ask_site(
    bundle: Bundle,
    session: Session,
    images: Sequence[SiteImage],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> SiteAnswers:
    """Read each image as ``brain-infer`` does and ask the bundle.

    Args:
        bundle: The one that will be refitted.
        session: Of this bundle.
        images: At least one; labelled all or none.
        progress: Called with (done, total) after each image.

    Raises:
        DataRefused: Images cannot be read, or copies of an image have different labels; all are named.
        InferenceFailed: The runtime failed.
        NonFiniteOutput: The model gave NaN or infinity.
    """
    kept: dict[str, SiteImage] = {}
    logits, embeddings, problems = [], [], list[str]()
    for done, image in enumerate(images, start=1):
        name = shown_name(image.path.name)
        try:
            opened = open_source(image.path)
        except InputError as error:
            problems.append(f"{name}: {error.code} ({error.message})")
            continue
        first = kept.setdefault(opened.sha256, image)
        if first is image:
            outputs = session.run(preprocess(opened.image, bundle.preprocessor))
            check_outputs(outputs[0][0], outputs[2][0], classes=len(bundle.labels), source=name)
            logits.append(outputs[0][0])
            embeddings.append(outputs[1][0])
        elif first.label != image.label:
            problems.append(
                f"{name}: is a copy of {shown_name(first.path.name)} with another label"
            )
        progress(done, len(images))
    refuse(problems, what="images cannot be used", hint="correct or remove them")
    labels = [image.label for image in kept.values() if image.label is not None]
    groups = [image.group for image in kept.values()]
    return SiteAnswers(
        logits=np.stack(logits),
        embeddings=np.stack(embeddings),
        labels=np.array(labels, dtype=np.int64) if labels else None,
        groups=tuple(separate_groups(groups)),
        unknown_groups=groups.count(""),
        copies=len(images) - len(kept),
    )
