"""Results for series with answers that are made up, from DICOM files in memory: no model, no reading of pixels."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
from dicom_files import drawn_volume, file_bytes, mr_series, scan_file
from PIL import Image

from edge_infer.classes import BRAIN, Classes
from edge_infer.classifier import Outcome
from edge_infer.image_file import SourceImage
from edge_infer.prediction import ModelIdentity, Prediction
from edge_infer.reasons import Reason
from edge_infer.scan_slice import Acquisition, Geometry, Identity, ScanFile, ScanSlice, ShownSlice
from edge_infer.series.result import (
    Run,
    SequenceGuess,
    SeriesResult,
    SliceAnswer,
    SliceState,
)
from edge_infer.structured.algorithm import Algorithm

__all__ = [
    "ALGORITHM",
    "answer",
    "dicom_slices",
    "made_up",
    "prediction",
    "series_of",
    "series_result",
]

ALGORITHM = Algorithm(
    model="drawn-model",
    precision="int8",
    manifest_sha256="0123456789abcdef" * 4,
    temperature=0.7777,
    preprocessing="8-bit grey, stretched to 224 x 224 pixels",
    scope="enforce",
    version="9.8.7",
)


def prediction(
    label: str,
    probability: float = 0.91,
    *,
    reasons: Sequence[Reason] = (),
    classes: Classes = BRAIN,
) -> Prediction:
    """An answer; it abstains if there are reasons."""
    rest = (1 - probability) / (len(classes) - 1)
    probabilities = {one: probability if one == label else rest for one in classes.names}
    evidence = np.zeros((len(classes), 4, 4), dtype=np.float32)
    evidence[classes.names.index(label), 1, 2] = 3.0
    return Prediction(
        decision="abstain" if reasons else "accept",
        reasons=tuple(reasons),
        prediction_set=(label,),
        label=label,
        score=probability,
        probabilities=probabilities,
        logits={one: float(np.log(value)) for one, value in probabilities.items()},
        evidence=evidence,
        timings_ms={},
        source="<array>",
        source_sha256="0" * 64,
        model=ModelIdentity(name="drawn-model", precision="int8", manifest_sha256="0" * 64),
        provider="CPUExecutionProvider",
        negative_label=classes.negative,
    )


def dicom_slices(files: Sequence[ScanFile]) -> list[ScanSlice]:
    """One slice for each file, or for each frame of a file."""
    slices = []
    for file in files:
        header = pydicom.dcmread(io.BytesIO(file.read()), stop_before_pixels=True, force=True)
        frames = int(header.get("NumberOfFrames") or 1)
        for frame in range(1, frames + 1):
            number = None if frames == 1 else frame
            slices.append(_slice(file, header, number, len(slices)))
    return slices


def _slice(file: ScanFile, header: Any, frame: int | None, number: int) -> ScanSlice:
    grey = Image.radial_gradient("L").resize((160, 160))
    shown = ShownSlice(
        source=SourceImage(name=file.name, sha256="0" * 64, image=grey), grey="drawn"
    )
    return ScanSlice(
        name=file.name if frame is None else f"{file.name}#{frame}",
        file=file,
        identity=Identity(
            study_instance_uid=_uid(header, 0x0020000D),
            series_instance_uid=_uid(header, 0x0020000E),
            sop_instance_uid=_uid(header, 0x00080018),
            sop_class_uid=_uid(header, 0x00080016),
            frame_number=frame,
        ),
        geometry=Geometry(
            plane="axial",
            tilt_degrees=0.0,
            normal=(0.0, 0.0, 1.0),
            position_mm=4.0 * number,
            shown="as stored",
        ),
        acquisition=Acquisition(modality="MR"),
        read=lambda: shown,
    )


def _uid(header: Any, tag: int) -> str:
    element = header.get_item(tag)
    value = b"" if element is None else element.value
    return value.decode("ascii").strip("\0 ") if isinstance(value, bytes) else str(value)


def answer(scan: ScanSlice, number: int, given: Prediction | SliceState) -> SliceAnswer:
    """A slice with an answer, or without one for a stated reason."""
    if isinstance(given, SliceState):
        return SliceAnswer(
            slice=scan, number=number, state=given, head_share=0.1, grey="", outcome=None
        )
    outcome = Outcome(source="<array>", prediction=given)
    return SliceAnswer(
        slice=scan,
        number=number,
        state=SliceState.CLASSIFIED,
        head_share=0.9,
        grey="drawn",
        outcome=outcome,
    )


def made_up(number: int, count: int) -> Prediction | SliceState:
    """Answers for a series: ends left out, a meningioma in the middle third, one of it not accepted."""
    if number in (1, count):
        return SliceState.END_SLICE
    if count // 3 < number <= 2 * count // 3:
        if number == count // 2:
            return prediction("meningioma", 0.55, reasons=[Reason.AMBIGUOUS])
        return prediction("meningioma", 0.9 + 0.0001 * number)
    return prediction("no_tumor", 0.97)


def series_result(
    slices: Sequence[ScanSlice],
    given: Callable[[int, int], Prediction | SliceState] = made_up,
    **changes: Any,
) -> SeriesResult:
    """A result that says: evidence of a meningioma."""
    answers = tuple(
        answer(scan, number, given(number, len(slices)))
        for number, scan in enumerate(slices, start=1)
    )
    identity = slices[0].identity if slices else None
    result = SeriesResult(
        number=1,
        study_instance_uid=identity.study_instance_uid if identity else "",
        series_instance_uid=identity.series_instance_uid if identity else "",
        plane="axial",
        sequence=SequenceGuess(name="t1", reasons=("TE 2.9 ms",), contrast="unknown"),
        slices=answers,
        runs=(Run(label="meningioma", first=4, last=6, length_mm=8.0),),
        label="meningioma",
        score=0.8765432,
        rule="the largest mean probability of any tumour over 3 or more neighbouring slices",
        finding="tumour_evidence",
    )
    return replace(result, **changes)


def series_of(datasets: Sequence[Any] | None = None, **changes: Any) -> SeriesResult:
    """A result for a drawn series, or for these datasets."""
    if datasets is None:
        datasets = mr_series(drawn_volume(slices=9, rows=32, columns=32))
    files = [
        scan_file(file_bytes(one), f"slice{number:03d}.dcm")
        for number, one in enumerate(datasets, start=1)
    ]
    return series_result(dicom_slices(files), **changes)
