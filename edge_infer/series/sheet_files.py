"""The files for contact sheets, chosen before the work starts, so that no scan is overwritten."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import CannotWrite
from edge_infer.folder_walk import is_folder
from edge_infer.inputs import HEATMAP_ENDING
from edge_infer.names import shown_name
from edge_infer.series.result import SeriesResult

__all__ = ["SheetFiles"]


class SheetFiles:
    """Writes the contact sheet of each series.

    Args:
        target: A ``.png`` file for one series, else a folder, which is made.
        inputs: The files that are read.
        series: How many there are.
        is_alone: Whether nothing else is drawn.

    Raises:
        CannotWrite: The target would overwrite a scan, is of the wrong kind or cannot be made.
    """

    def __init__(
        self, target: Path, inputs: Sequence[Path], *, series: int, is_alone: bool
    ) -> None:
        self._target = target
        self._is_file = target.suffix.lower() == ".png" and not is_folder(target)
        if self._is_file and not (is_alone and series == 1):
            raise CannotWrite(
                f"{shown_name(target)}: {series} series need a contact sheet each",
                hint="--heatmap names a folder for several series or images",
            )
        if self._is_file and os.path.realpath(target) in map(os.path.realpath, inputs):
            raise CannotWrite(
                f"{shown_name(target)}: the contact sheet would overwrite a scan that is to be read",
                hint="name another output",
            )
        if not self._is_file:
            _make(target)

    def write(self, result: SeriesResult, sheet: Image.Image) -> Path:
        """Write the sheet of a series.

        Args:
            result: Of the series.
            sheet: As ``ContactSheet`` draws it.

        Raises:
            CannotWrite: The file cannot be written.
        """
        name = f"series-{result.number:03d}.contact-sheet{HEATMAP_ENDING}"
        path = self._target if self._is_file else self._target / name
        content = io.BytesIO()
        sheet.save(content, format="PNG")
        write_bytes_atomically(path, content.getvalue())
        return path


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: folder for contact sheets cannot be created ({error.strerror})",
            hint="for a study, --heatmap names a folder",
        ) from error
