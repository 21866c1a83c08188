"""The files for contact sheets, chosen before the work starts, so that no scan is overwritten."""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePath

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
        """Write the sheet of a series, in a folder under a name of its own: the same series, the same name.

        Args:
            result: Of the series.
            sheet: As ``ContactSheet`` draws it.

        Raises:
            CannotWrite: The file cannot be written.
        """
        name = f"series-{result.number:03d}-{_digest(result)}.contact-sheet{HEATMAP_ENDING}"
        path = self._target if self._is_file else self._target / name
        content = io.BytesIO()
        sheet.save(content, format="PNG")
        write_bytes_atomically(path, content.getvalue())
        return path


def _digest(result: SeriesResult) -> str:
    """Return 8 hexadecimal digits that are those of no other series, so that its sheet overwrites no other's.

    Identifiers alone are not enough: files of two patients may share them.
    """
    parts = [result.study_instance_uid, result.series_instance_uid]
    for answer in result.slices:
        one = answer.slice
        frame = answer.number if one.identity is None else one.identity.frame_number
        parts.append(f"{one.sha256 or one.name} {frame}")
    if not result.series_instance_uid:
        parts += sorted({PurePath(answer.slice.file.name).name for answer in result.slices})
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: folder for contact sheets cannot be created ({error.strerror})",
            hint="for a study, --heatmap names a folder",
        ) from error
