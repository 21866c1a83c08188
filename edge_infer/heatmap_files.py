"""Where the heatmaps of a run go: chosen before it starts, so that no scan is ever overwritten."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import CannotWrite, UnreadableInput
from edge_infer.heatmap import draw_heatmap
from edge_infer.image_file import open_source
from edge_infer.names import shown_name
from edge_infer.prediction import Prediction
from edge_infer.standard_input import StandardInput

__all__ = ["HeatmapFiles"]

Picture = Path | StandardInput


class HeatmapFiles:
    """Draws the heatmap of each prediction into the file that was set aside for its picture.

    Args:
        target: A ``.png`` file for one picture, a folder (created) for several.
        pictures: All pictures of the run.
        is_batch: Whether the target is a folder.

    Raises:
        CannotWrite: The target would overwrite a picture, is no ``.png`` or cannot be created.
    """

    def __init__(self, target: Path, pictures: Sequence[Picture], *, is_batch: bool) -> None:
        if is_batch:
            _create_folder(target)
            self._targets = _names_in(target, pictures)
        else:
            if target.suffix.lower() != ".png" or target.is_dir():
                raise CannotWrite(
                    f"{shown_name(target)}: a heatmap of one picture goes to a .png file"
                )
            self._targets = {pictures[0]: target}
        _refuse_overwriting(self._targets.values(), pictures)

    def draw(self, picture: Picture, prediction: Prediction) -> Path:
        """Write the heatmap of one prediction and return its path.

        Args:
            picture: One of the run.
            prediction: The answer for it.

        Raises:
            CannotWrite: The file cannot be written.
            UnreadableInput: The picture has changed since it was classified.
        """
        target = self._targets[picture]
        source = open_source(picture)
        if source.sha256 != prediction.source_sha256:
            raise UnreadableInput(
                f"{shown_name(prediction.source)}: file changed while it was being worked on"
            )
        drawn = io.BytesIO()
        draw_heatmap(source.image, prediction).save(drawn, format="PNG")
        write_bytes_atomically(target, drawn.getvalue())
        return target


def _names_in(folder: Path, pictures: Sequence[Picture]) -> dict[Picture, Path]:
    """Give each picture a name of its own, also when two folders hold pictures of one name."""
    targets: dict[Picture, Path] = {}
    taken: set[str] = set()
    for picture in pictures:
        stem = picture.stem if isinstance(picture, Path) else "stdin"
        name, count = f"{stem}.heatmap.png", 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}.heatmap.png"
        taken.add(name.lower())
        targets[picture] = folder / name
    return targets


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: folder for heatmaps cannot be created ({error.strerror})",
            hint="with several inputs, --heatmap names a folder",
        ) from error


def _refuse_overwriting(targets: Iterable[Path], pictures: Sequence[Picture]) -> None:
    sources = {picture.resolve() for picture in pictures if isinstance(picture, Path)}
    for target in targets:
        if target.resolve() in sources:
            raise CannotWrite(
                f"{shown_name(target)}: the heatmap would overwrite a picture that is to be read",
                hint="name another output",
            )
