"""Golden images: a few inputs with the answers they got where the bundle was made.

``golden.png`` is one grey sheet of images, four in a row, each of the model's size, so that people can look at
it; the answers are in the manifest, image by image in reading order. ``edge_infer.self_test`` asks for them
again on the machine that runs the bundle. The images are drawn, not scanned: a bundle must not carry a real scan.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.contract import GOLDEN_FILE
from edge_infer.errors import BundleIncompatible, BundleIncomplete, BundleIntegrity
from edge_infer.plain_json import LARGEST_LOGIT, is_number, shown_value
from edge_infer.quiet_pillow import quiet_pillow

__all__ = ["GOLDEN_COUNT", "GoldenCase", "check_golden", "golden_sheet", "read_golden"]

_COLUMNS = 4

#: Largest number of images on a sheet.
GOLDEN_COUNT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenCase:
    """One image and its known answer.

    Attributes:
        number: Its place on the sheet, from 1, row by row.
        grey: uint8, (H, W), already of the model's size.
        label: The class the bundle gave it.
        logits: float32, (classes,), as the bundle's graph gave them.
    """

    number: int
    grey: NDArray[np.uint8] = field(repr=False)
    label: str
    logits: NDArray[np.float32]


def read_golden(
    sheet: bytes, answers: Sequence[Mapping[str, Any]], *, height: int, width: int
) -> list[GoldenCase]:
    """Cut a sheet into its images and put each beside its known answer.

    Args:
        sheet: golden.png.
        answers: ``golden`` of the manifest, already checked by ``check_golden``.
        height: Rows of each image.
        width: Columns of each image.

    Raises:
        BundleIntegrity: The sheet is not a grey PNG of the size that the model's image size asks for.
    """
    pixels = _read_sheet(sheet, height, width)
    cases = []
    for index, answer in enumerate(answers):
        top, left = index // _COLUMNS * height, index % _COLUMNS * width
        cases.append(
            GoldenCase(
                number=index + 1,
                grey=pixels[top : top + height, left : left + width],
                label=answer["label"],
                logits=np.array(answer["logits"], dtype=np.float32),
            )
        )
    return cases


def golden_sheet(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """Render golden.png.

    Args:
        images: 1 to 16 of the model's size: uint8, (H, W).
    """
    if not 1 <= len(images) <= GOLDEN_COUNT:
        raise ValueError(f"{len(images)} images, expected 1..{GOLDEN_COUNT}")
    height, width = images[0].shape
    sheet = Image.new("L", _sheet_size(height, width))
    for index, image in enumerate(images):
        place = (index % _COLUMNS * width, index // _COLUMNS * height)
        sheet.paste(Image.fromarray(image), place)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def check_golden(manifest: Mapping[str, Any]) -> None:
    """Check the manifest's golden answers and their tolerance.

    Raises:
        BundleIncomplete: There are none, or one lacks a field.
        BundleIncompatible: They are of another form.
    """
    tolerance = manifest["self_test"].get("tolerance_logits")
    if not is_number(tolerance, 1 / LARGEST_LOGIT, LARGEST_LOGIT):
        raise BundleIncompatible(
            f"manifest.json: self_test.tolerance_logits is {shown_value(tolerance)}, "
            "expected a positive number"
        )
    labels, entries = manifest["labels"], manifest["golden"]
    if not entries:
        raise BundleIncomplete("manifest.json: golden is empty, expected answers")
    if len(entries) > GOLDEN_COUNT:
        raise BundleIncompatible(
            f"manifest.json: golden has {len(entries)} answers, expected at most {GOLDEN_COUNT}"
        )
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not {"label", "logits", "fp32_logits"} <= set(entry):
            raise BundleIncomplete(
                f"manifest.json: golden answer {number} lacks label, logits or fp32_logits"
            )
        for name in ("logits", "fp32_logits"):
            values = entry[name]
            is_list = isinstance(values, list) and len(values) == len(labels)
            if not is_list or not all(
                is_number(value, -LARGEST_LOGIT, LARGEST_LOGIT) for value in values
            ):
                raise BundleIncompatible(
                    f"manifest.json: golden answer {number}: {name} are not {len(labels)} numbers"
                )
        if entry["label"] != labels[max(range(len(labels)), key=entry["logits"].__getitem__)]:
            raise BundleIncompatible(
                f"manifest.json: golden answer {number}: label is not that of its largest logit"
            )


def _read_sheet(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    expected = _sheet_size(height, width)
    quiet_pillow()
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as sheet:
            if sheet.mode == "L" and sheet.size == expected:
                return np.asarray(sheet, dtype=np.uint8)
            found = f"{sheet.width} x {sheet.height}, mode {sheet.mode}"
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, zlib.error ...
        raise BundleIntegrity(
            f"{GOLDEN_FILE}: is not a PNG that can be read", hint="export the bundle again"
        ) from error
    raise BundleIntegrity(
        f"{GOLDEN_FILE}: is {found}, expected {expected[0]} x {expected[1]}, mode L",
        hint="export the bundle again",
    )


def _sheet_size(height: int, width: int) -> tuple[int, int]:
    return _COLUMNS * width, GOLDEN_COUNT // _COLUMNS * height
