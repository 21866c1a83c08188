"""Decode every image before work starts, so that a damaged one cannot stop it hours later."""

import io
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from edge_infer.errors import InputError
from edge_infer.image_file import read_image
from train.data.samples import Progress, Sample

__all__ = ["verified"]


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


def _with_size(sample: Sample) -> Sample:
    if sample.original_size is not None and sample.original_mode:
        return sample
    file = io.BytesIO(sample.source) if isinstance(sample.source, bytes) else sample.source
    with Image.open(file) as header:  # reads the header only
        return replace(sample, original_size=header.size, original_mode=header.mode)
