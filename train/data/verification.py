"""Decode every image before work starts, so that a damaged one cannot stop it hours later."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from edge_infer.errors import InputError
from edge_infer.image_file import read_image
from edge_infer.names import shown_name
from train.data.samples import Progress, Sample

__all__ = ["missing_masks", "verified"]


def verified(
    samples: Sequence[Sample], progress: Progress | None = None
) -> tuple[list[Sample], list[str]]:
    """Decode every image in full.

    Args:
        samples: Images to open.
        progress: Called with (done, total).

    Returns:
        The readable samples, with ``original_size`` and ``original_mode`` filled in if unknown, and
        one line for each unreadable sample.
    """
    good: list[Sample] = []
    problems: list[str] = []
    for done, sample in enumerate(samples, start=1):
        try:
            read_image(sample.source)
            good.append(_with_size(sample))
        except InputError as error:
            problems.append(f"{sample.name}: {error.code} ({error.message})")
        if progress is not None:
            progress(done, len(samples))
    return good, problems


def missing_masks(samples: Iterable[Sample]) -> list[str]:
    """Return one line for each stated mask that is no file."""
    return [
        f"{sample.name}: its mask {shown_name(sample.mask.name)} is missing or no file"
        for sample in samples
        if sample.mask is not None and not _is_file(sample.mask)
    ]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _with_size(sample: Sample) -> Sample:
    if sample.original_size is not None and sample.original_mode:
        return sample
    file = io.BytesIO(sample.source) if isinstance(sample.source, bytes) else sample.source
    with Image.open(file) as header:  # reads the header only
        return replace(sample, original_size=header.size, original_mode=header.mode)
