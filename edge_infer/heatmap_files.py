"""The files for the heatmaps of a run, chosen before it starts, so that no scan is overwritten."""

import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import CannotWrite, UnreadableInput
from edge_infer.folder_walk import is_folder
from edge_infer.heatmap import draw_heatmap
from edge_infer.image_file import open_source, source_name
from edge_infer.inputs import HEATMAP_ENDING
from edge_infer.names import shown_name
from edge_infer.prediction import Prediction
from edge_infer.reading_time import read_within
from edge_infer.standard_input import StandardInput

__all__ = ["HeatmapFiles"]

ImageInput = Path | StandardInput

#: Bytes of a name without its ending. File systems allow 255, and the temporary name while writing is longer.
_MAX_STEM_BYTES = 200


class HeatmapFiles:
    """Draws the heatmap of each prediction into the file chosen for its image.

    Args:
        target: A ``.png`` file for one image, a folder (created) for several.
        inputs: All images of the run.
        is_batch: Whether the target is a folder.
        timeout_s: Seconds that reading an image again may take; None for no limit.

    Raises:
        CannotWrite: The target would overwrite an image, is not a ``.png`` file or cannot be created.
    """

    def __init__(
        self,
        target: Path,
        inputs: Sequence[ImageInput],
        *,
        is_batch: bool,
        timeout_s: float | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        if is_batch:
            _create_folder(target)
            self._targets = _names_in(target, inputs)
        else:
            if target.suffix.lower() != ".png" or is_folder(target):
                raise CannotWrite(
                    f"{shown_name(target)}: the heatmap of one image must be a .png file"
                )
            self._targets = {inputs[0]: target}
        _refuse_overwriting(self._targets.values(), inputs)

    def draw(self, given: ImageInput, prediction: Prediction) -> Path:
        """Write the heatmap of one prediction and return its path.

        Args:
            given: An image of the run.
            prediction: Its answer.

        Raises:
            CannotWrite: The file cannot be written.
            UnreadableInput: The image has changed since it was classified.
            TimedOut: Reading it again took longer than ``timeout_s``.
        """
        target = self._targets[given]
        source = read_within(self._timeout_s, lambda: open_source(given), source_name(given))
        if source.sha256 != prediction.source_sha256:
            raise UnreadableInput(
                f"{shown_name(prediction.source)}: file changed while it was being processed"
            )
        drawn = io.BytesIO()
        draw_heatmap(source.image, prediction).save(drawn, format="PNG")
        write_bytes_atomically(target, drawn.getvalue())
        return target


def _names_in(folder: Path, inputs: Sequence[ImageInput]) -> dict[ImageInput, Path]:
    """Give each image its own file name, even if two folders have images of the same name."""
    targets: dict[ImageInput, Path] = {}
    taken: set[str] = set()
    for given in inputs:
        stem = _short(given.stem) if isinstance(given, Path) else "stdin"
        name, count = f"{stem}{HEATMAP_ENDING}", 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}{HEATMAP_ENDING}"
        taken.add(name.lower())
        targets[given] = folder / name
    return targets


def _short(stem: str) -> str:
    """Shorten a name that is too long; a digest distinguishes it from others with the same start."""
    whole = os.fsencode(stem)
    if len(whole) <= _MAX_STEM_BYTES:
        return stem
    digest = hashlib.sha256(whole).hexdigest()[:16]
    kept = stem
    while len(os.fsencode(kept)) > _MAX_STEM_BYTES - len(digest) - 1:
        kept = kept[:-1]  # by characters, so that none is cut in two
    return f"{kept}-{digest}"


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: folder for heatmaps cannot be created ({error.strerror})",
            hint="with several inputs, --heatmap names a folder",
        ) from error


def _refuse_overwriting(targets: Iterable[Path], inputs: Sequence[ImageInput]) -> None:
    # Not Path.resolve, which raises for circular links.
    sources = {os.path.realpath(given) for given in inputs if isinstance(given, Path)}
    for target in targets:
        if os.path.realpath(target) in sources:
            raise CannotWrite(
                f"{shown_name(target)}: the heatmap would overwrite an image that is to be read",
                hint="name another output",
            )
