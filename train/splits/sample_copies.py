"""The copies among samples, from cached thumbnails; the result is cached too."""

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
# Box: a thumbnail pixel is the mean of its own part of the image, so mirroring or turning an
# image mirrors or turns its thumbnail.
_THUMBNAILS = PreprocessorConfig(
    height=THUMBNAIL_SIDE, width=THUMBNAIL_SIDE, resample=int(Image.Resampling.BOX)
)


def copies_among(
    samples: Sequence[Sample], *, cache: Path | None = None, progress: Progress | None = None
) -> list[Copy]:
    """Find the copies among samples.

    Args:
        samples: Images; rows of the result are indices into them.
        cache: Folder for thumbnails and the result, so that a second call is fast. None: a
            temporary folder.
        progress: Called with (done, total) while images are decoded.

    Raises:
        DataRefused: Images cannot be read.
        CannotWrite: The cache cannot be written.
    """
    with _folder(cache) as folder:
        thumbnails = PixelCache.build(samples, _THUMBNAILS, folder, progress)
        # For a data set that was shrunk, the digests of the original files say more than the present ones.
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
    except (OSError, ValueError, TypeError):  # missing or damaged: computed again
        return None
