"""Open a DICOM file: the header is read and judged, and there is a slice for each frame that is an MR of a head."""

import hashlib
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from PIL import Image

from edge_infer.colour import coloured_share
from edge_infer.dicom.acquisition import acquisition_of
from edge_infer.dicom.content import Content, parse
from edge_infer.dicom.device import device_of
from edge_infer.dicom.frames import Frame, frames_of
from edge_infer.dicom.gate import check_file, check_frame
from edge_infer.dicom.grey import grey_of
from edge_infer.dicom.header import uid, whole, words
from edge_infer.dicom.patient import PATIENT_TAGS, take_patient
from edge_infer.dicom.pixels import check_pixels, stored_values
from edge_infer.dicom.position import aspect_of, view_and_geometry
from edge_infer.dicom.quiet import foreign_errors, quiet_pydicom, require_pydicom
from edge_infer.errors import CorruptImage, InputOverLimit, ScanRefused
from edge_infer.held_content import HeldContent
from edge_infer.image_file import SourceImage
from edge_infer.names import shown_name
from edge_infer.refusals import OVERRULABLE
from edge_infer.scan_files import MAX_SCAN_BYTES
from edge_infer.scan_slice import Identity, ScanFile, ScanSlice, ShownSlice
from edge_infer.slice_view import shown_image

__all__ = ["open_dicom"]


def open_dicom(file: ScanFile, *, despite: Collection[str] = ()) -> list[ScanSlice]:
    """Read the header of a DICOM file; pixels are decoded when a slice is read.

    Args:
        file: Part 10, or without preamble or meta information.
        despite: Values of ``OVERRULABLE`` refusals; what would be refused for them carries a warning instead.

    Returns:
        A slice for each frame, in the order of the file. Frames of other kinds within a file of several are left out,
        and the others say so.

    Raises:
        CorruptImage: Damaged, cut short, or no DICOM.
        ScanRefused: It is no MR of a head.
        UnsupportedImage: Pixels of a kind or a transfer syntax that is not read.
        InputOverLimit: The file, its frames or their sides are over a limit.
        MissingDependency: A package of the extra ``dicom`` is not installed.
        ValueError: ``despite`` names something else.
    """
    unknown = set(despite) - {refusal.value for refusal in OVERRULABLE}
    if unknown:
        raise ValueError(f"cannot be overruled: {', '.join(sorted(unknown))}")
    name = shown_name(file.name)
    require_pydicom(name)
    data = _read(file, name)
    content = parse(data, name, with_pixels=False, also=PATIENT_TAGS)
    digest = hashlib.sha256(data).hexdigest()
    with foreign_errors(name, "DICOM header"):
        patient = take_patient(content.header)
        warnings = check_file(content, name, despite)
        check_pixels(content, name)
        frames, frame_warnings = _readable(frames_of(content.header, name), name, despite)
        held = _held(file, name, digest, is_held=len(frames) > 1)
        slices = [
            _slice(file, frame, held, (*warnings, *frame_warnings[frame.index])) for frame in frames
        ]
        return [_told_apart(one, patient, digest) for one in slices]


def _read(file: ScanFile, name: str) -> bytes:
    data = file.read()
    if not data:
        raise CorruptImage(f"{name}: file is empty (0 bytes)")
    if len(data) > MAX_SCAN_BYTES:
        raise InputOverLimit(f"{name}: file is larger than {MAX_SCAN_BYTES // 2**20} MiB")
    return data


def _readable(
    frames: list[Frame], name: str, despite: Collection[str]
) -> tuple[list[Frame], dict[int, list[str]]]:
    """Return the frames that are read, and warnings by index; raise the first refusal if there are none."""
    warnings: dict[int, list[str]] = {}
    refused: list[ScanRefused] = []
    for frame in frames:
        try:
            warnings[frame.index] = check_frame(frame, name, despite)
        except ScanRefused as error:
            refused.append(error)
    if not warnings:
        raise refused[0]
    if refused:
        kinds = ", ".join(sorted({error.refusal.value for error in refused}))
        for said in warnings.values():
            said.append(
                f"{len(refused)} of {len(frames)} frames of the file are left out ({kinds})"
            )
    return [frame for frame in frames if frame.index in warnings], warnings


def _held(
    file: ScanFile, name: str, digest: str, *, is_held: bool
) -> "HeldContent[tuple[Content, list[Frame], str]]":
    def load() -> tuple[Content, list[Frame], str]:
        quiet_pydicom()
        data = _read(file, name)
        if hashlib.sha256(data).hexdigest() != digest:
            raise CorruptImage(f"{name}: file has changed while it was read", hint="try it again")
        content = parse(data, name, with_pixels=True)
        with foreign_errors(name, "DICOM header"):
            return content, frames_of(content.header, name), digest

    return HeldContent(load, is_held=is_held)


def _slice(
    file: ScanFile,
    frame: Frame,
    held: "HeldContent[tuple[Content, list[Frame], str]]",
    warnings: tuple[str, ...],
) -> ScanSlice:
    name = file.name if frame.is_single else f"{file.name}#{frame.index + 1}"
    index = frame.index  # the frame itself holds the whole header
    geometry = view_and_geometry(frame)[1]
    if geometry is None:
        warnings = (*warnings, "the header does not say how the slice lies: shown as stored")
    return ScanSlice(
        name=name,
        file=file,
        identity=_identity(frame),
        geometry=geometry,
        acquisition=acquisition_of(frame),
        read=lambda: _shown(name, index, held),
        warnings=warnings,
        size=(whole(frame.top, "Rows") or 0, whole(frame.top, "Columns") or 0),
        device=device_of(frame),
    )


def _told_apart(one: ScanSlice, patient: str, digest: str) -> ScanSlice:
    identity = None if one.identity is None else replace(one.identity, patient=patient)
    return replace(one, identity=identity, sha256=digest)


def _identity(frame: Frame) -> Identity:
    return Identity(
        study_instance_uid=uid(frame.top, "StudyInstanceUID"),
        series_instance_uid=uid(frame.top, "SeriesInstanceUID"),
        sop_instance_uid=uid(frame.top, "SOPInstanceUID"),
        sop_class_uid=uid(frame.top, "SOPClassUID"),
        frame_number=None if frame.is_single else frame.index + 1,
    )


def _shown(
    name: str, index: int, held: "HeldContent[tuple[Content, list[Frame], str]]"
) -> ShownSlice:
    shown = shown_name(name)
    with foreign_errors(shown, "DICOM"):
        content, frames, digest = held.get()
        frame = frames[index]
        pixels = stored_values(content, frame, shown)
        is_lossy = check_pixels(content, shown).is_lossy or "01" in words(
            frame.top, "LossyImageCompression"
        )
        warnings = ["the pixels were compressed with loss"] if is_lossy else []
        view, _ = view_and_geometry(frame)
        coloured = 0.0
        if pixels.ndim == 3:
            given = Image.fromarray(pixels)
            coloured, levels, rule = (
                coloured_share(given),
                np.asarray(given.convert("L")),
                "colours turned grey",
            )
        else:
            little = content.transfer_syntax != "1.2.840.10008.1.2.2"
            grey = grey_of(pixels, frame, is_little_endian=little)
            levels, rule = grey.levels, grey.rule
            warnings += grey.warnings
        image = shown_image(levels, view, aspect_of(frame))
        source = SourceImage(name=name, sha256=digest, image=image, coloured=coloured)
        return ShownSlice(source=source, grey=rule, warnings=tuple(warnings))
