"""The copies among samples: thumbnails from a cache, and the answer kept beside them."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from edge_infer.atomic import write_bytes_atomically
from edge_infer.preprocessing import PreprocessorConfig
from train.data.pixel_cache import PixelCache
from train.data.samples import Progress, Sample
from train.splits.copies import THRESHOLD, THUMBNAIL_SIDE, Copy, find_copies

__all__ = ["copies_among"]

_FORMAT = 1
# Box: every thumbnail pixel is the plain mean of its own part of the image, so mirroring and
# turning an image mirrors and turns its thumbnail.
_THUMBNAILS = PreprocessorConfig(
    height=THUMBNAIL_SIDE, width=THUMBNAIL_SIDE, resample=int(Image.Resampling.BOX)
)


def copies_among(
    samples: Sequence[Sample], *, cache: Path | None = None, progress: Progress | None = None
) -> list[Copy]:
    """Find the copies among samples.

    Args:
        samples: Images; rows of the result count in their order.
        cache: Folder where thumbnails and the result are kept, so that a second call is quick.
            None: a temporary folder that is removed again.
        progress: Called with (done, total) while images are decoded.

    Raises:
        DataRefused: Images cannot be read.
        CannotWrite: The cache cannot be written.
    """
    with _folder(cache) as folder:
        thumbnails = PixelCache.build(samples, _THUMBNAILS, folder, progress)
        # Where a data set was shrunk, what its files were before says more than what they are now.
        files = [
            sample.original_sha256 or digest
            for sample, digest in zip(samples, thumbnails.file_digests, strict=True)
        ]
        made_from = json.dumps([_FORMAT, THRESHOLD, thumbnails.key, files])
        answer = folder / f"copies-{hashlib.sha256(made_from.encode()).hexdigest()[:32]}.json"
        copies = _read(answer)
        if copies is None:
            copies = find_copies(
                thumbnails.pixels,
                file_digests=files,
                image_digests=thumbnails.image_digests,
            )
            rows = json.dumps([asdict(copy) for copy in copies])
            write_bytes_atomically(answer, rows.encode())
        return copies


@contextmanager
def _folder(cache: Path | None) -> Iterator[Path]:
    if cache is not None:
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="brain-data-") as temporary:
        yield Path(temporary)


def _read(answer: Path) -> list[Copy] | None:
    try:
        return [Copy(**row) for row in json.loads(answer.read_bytes())]
    except (OSError, ValueError, TypeError):  # missing or damaged: found anew
        return None
