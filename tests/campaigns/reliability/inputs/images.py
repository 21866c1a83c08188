"""R1: damaged images."""

import io
import warnings
from pathlib import Path
from unittest import mock

from PIL import Image, ImageFile, UnidentifiedImageError
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.inputs.image_seeds import damaged_image
from reliability.inputs.watching import watched

from edge_infer import decoding
from edge_infer.image_file import read_image

__all__ = ["CAMPAIGN"]

#: What Pillow documents for ``open`` and ``load``.
_PILLOW_NAMES = (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)


def _ours(_prepared: None, number: int, folder: Path) -> Seen:
    del folder
    _, data = damaged_image(number)

    def read() -> str:
        return repr(read_image(data).info)

    return watched(read, check=lambda: _check_whole(data))


def _check_whole(data: bytes) -> None:
    """Let Pillow read the file strictly."""
    is_lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with warnings.catch_warnings(action="ignore"):
            Image.open(io.BytesIO(data)).load()
    except Exception as error:
        raise Broken(f"read, although Pillow refuses it ({type(error).__name__})") from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = is_lenient


def _pillow(_prepared: None, number: int, folder: Path) -> Seen:
    del folder
    _, data = damaged_image(number)

    def read() -> str:
        return str(Image.open(io.BytesIO(data)).convert("L").size)

    return watched(read, named=_PILLOW_NAMES)


def _unchecked(folder: Path) -> None:
    """Take our checks out, and make Pillow lenient, for as long as the process lives."""
    del folder
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    for name in ("refuse_accepting_truncated", "check_tiff_data", "check_lost_run"):
        mock.patch.object(decoding, name, return_value=None).start()
    mock.patch.object(decoding, "checked", lambda data, _name: data).start()


CAMPAIGN = Campaign(
    id="R1",
    title="Damaged images",
    promise=(
        "A damaged image is answered or refused by a named error, within 2 s and 512 MB; no answer if a strict decoder "
        "refuses it, and no text of the file in any message."
    ),
    attack="changes one of 30 kinds of image files at up to three places: bits, numbers, cuts, splices, repeats",
    unit="damaged images",
    subjects={
        "ours": Subject(trial=_ours, what="`edge_infer.read_image`"),
        "control": Subject(
            trial=_ours,
            prepare=_unchecked,
            what="the same without its checks, and with Pillow's `LOAD_TRUNCATED_IMAGES`",
        ),
        "raw": Subject(trial=_pillow, what="Pillow as it comes: `Image.open`, `convert`"),
    },
    ci={"ours": 400, "control": 100, "raw": 100},
    full={"ours": 1_000_000, "control": 10_000, "raw": 200_000},
    limit_s=20,
    chunk=500,
    control_share=0.02,
)
