"""Slices of scans made of drawn images, without files: what series are made of, before there is a format."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tiny_bundle import GOLDEN

from edge_infer.errors import CorruptImage
from edge_infer.image_file import SourceImage
from edge_infer.scan_slice import (
    Acquisition,
    Geometry,
    Identity,
    Plane,
    ScanFile,
    ScanSlice,
    ShownSlice,
)
from edge_infer.series.stacks import stacks_of
from edge_infer.series.study import Series

__all__ = ["GLIOMA", "HEALTHY", "MENINGIOMA", "SPECK", "series_of", "slice_at", "unreadable_at"]

#: What the tiny bundle calls so, and accepts; uint8 (32, 32).
GLIOMA, MENINGIOMA, HEALTHY = GOLDEN[0], GOLDEN[1], GOLDEN[6].copy()
HEALTHY[np.arange(32), np.arange(32)] = (
    30  # breaks its lines, which look like those between several slices
)

#: Hardly any head: a slice beyond its end.
SPECK: NDArray[np.uint8] = np.zeros((32, 32), dtype=np.uint8)
SPECK[14:18, 14:18] = 200

_NORMALS: dict[Plane, tuple[float, float, float]] = {
    "axial": (0.0, 0.0, 1.0),
    "coronal": (0.0, 1.0, 0.0),
    "sagittal": (1.0, 0.0, 0.0),
}


def slice_at(
    position: float | None,
    grey: NDArray[np.uint8] = HEALTHY,
    *,
    plane: Plane = "axial",
    name: str = "",
    series: str = "1.2.3",
    uid: str = "",
    normal: tuple[float, float, float] | None = None,
    size: tuple[int, int] | None = (32, 32),
    read: Callable[[], ShownSlice] | None = None,
    warnings: Sequence[str] = (),
    **acquisition: Any,
) -> ScanSlice:
    """Return a slice.

    Args:
        position: In mm; None for one that does not say where it lies.
        grey: uint8 (H, W).
        plane: Its direction.
        name: Of its file; by default made of the position.
        series: Identifier of its series; empty for a slice without identifiers.
        uid: Its own identifier; by default made of the name.
        normal: In place of the plane's.
        size: As the header says.
        read: In place of reading the pixels.
        warnings: Of the slice.
        acquisition: Fields of ``Acquisition``.
    """
    name = name or f"study/{plane}{position}.dcm"
    digest = hashlib.sha256(grey.tobytes()).hexdigest()
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")

    def shown() -> ShownSlice:
        image = Image.fromarray(grey)
        return ShownSlice(
            source=SourceImage(name=name, sha256=digest, image=image), grey="as drawn"
        )

    return ScanSlice(
        name=name,
        file=ScanFile(name=name, read=grey.tobytes),
        identity=Identity(
            study_instance_uid="1.2",
            series_instance_uid=series,
            sop_instance_uid=uid or f"2.25.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        )
        if series
        else None,
        geometry=None
        if position is None
        else Geometry(
            plane=plane,
            tilt_degrees=0.0,
            normal=normal or _NORMALS[plane],
            position_mm=position,
            shown="as stored",
            spacing_mm=(1.0, 1.0),
        ),
        acquisition=Acquisition(**{"modality": "MR", **acquisition}),
        read=read or shown,
        warnings=tuple(warnings),
        size=size,
    )


def unreadable_at(position: float, **options: Any) -> ScanSlice:
    """Return a slice whose pixels are damaged."""

    def fail() -> ShownSlice:
        raise CorruptImage(f"at {position}: pixels are cut short", hint="copy it again")

    return slice_at(position, read=fail, **options)


def series_of(slices: Sequence[ScanSlice], *, number: int = 1) -> Series:
    """Return the series of slices that make one stack."""
    (stack,) = stacks_of(slices)
    first = stack.slices[0]
    return Series(
        number=number,
        study_instance_uid="1.2" if first.identity else "",
        series_instance_uid=first.identity.series_instance_uid if first.identity else "",
        slices=stack.slices,
        plane=first.geometry.plane if first.geometry else None,
        has_places=stack.has_places,
        gaps=stack.gaps,
        warnings=stack.warnings,
    )
