"""What is there to run on, which libraries would run it, and what to install for the rest: for ``brain-doctor``."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_infer.devices.cuda import (
    CUDA,
    INSTALL_CUDA,
    driver_failure,
    has_cuda,
    packaged_libraries,
)
from edge_infer.devices.directml import DIRECTML, directml_plan
from edge_infer.devices.openvino import OPENVINO, device_names, library, register
from edge_infer.devices.plan import CPU
from edge_infer.errors import ProviderUnavailable

__all__ = ["DeviceFacts", "survey_devices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """One kind of device.

    Attributes:
        device: As ``--device`` takes it.
        provider: onnxruntime's name.
        is_there: Whether a session can be tried. Only its golden answers tell that it works.
        names: The devices it offers, where that can be asked without a session.
        libraries: That would run it, below the folder of packages or the system's.
        lacks: What is missing or in doubt, and what to do; empty if nothing is.
    """

    device: str
    provider: str
    is_there: bool
    names: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    lacks: str = ""

    @property
    def finding(self) -> str:
        """All that in one line."""
        parts = [f"{self.device}: {'there' if self.is_there else 'not there'}"]
        if self.names:
            parts.append(f"devices {', '.join(self.names)}")
        if self.libraries:
            parts.append(f"by {', '.join(self.libraries)}")
        return ", ".join(parts) + (f"; {self.lacks}" if self.lacks else "")

    def as_json(self) -> dict[str, Any]:
        """Render for JSON."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


def survey_devices(onnxruntime: Any) -> list[DeviceFacts]:
    """Look for each kind of device. This loads OpenVINO's plugin, but no CUDA, and opens no session."""
    return [
        DeviceFacts(
            device="cpu", provider=CPU, is_there=True, libraries=_own_libraries(onnxruntime)
        ),
        _cuda(onnxruntime),
        _openvino(onnxruntime),
        _directml(onnxruntime),
    ]


def _cuda(onnxruntime: Any) -> DeviceFacts:
    libraries = tuple(map(_below_packages, packaged_libraries()))
    if not has_cuda(onnxruntime):
        return DeviceFacts(
            device="cuda", provider=CUDA, is_there=False, libraries=libraries, lacks=INSTALL_CUDA
        )
    failure = driver_failure()
    if not libraries:
        libraries = ("the system's CUDA, if there is one",)
    return DeviceFacts(
        device="cuda",
        provider=CUDA,
        is_there=not failure,
        libraries=libraries,
        lacks=f"{failure}: install NVIDIA's driver" if failure else "",
    )


def _openvino(onnxruntime: Any) -> DeviceFacts:
    try:
        register(onnxruntime)
    except ProviderUnavailable as error:
        return DeviceFacts(
            device="openvino",
            provider=OPENVINO,
            is_there=False,
            lacks=f"{error.message}; {error.hint}",
        )
    path, names = library(), tuple(device_names(onnxruntime))
    return DeviceFacts(
        device="openvino",
        provider=OPENVINO,
        is_there=bool(names),
        names=names,
        libraries=() if path is None else (_below_packages(path),),
        lacks="" if names else "it takes Intel's processors only",
    )


def _directml(onnxruntime: Any) -> DeviceFacts:
    try:
        directml_plan(onnxruntime, 0)
    except ProviderUnavailable as error:
        return DeviceFacts(device="directml", provider=DIRECTML, is_there=False, lacks=error.hint)
    return DeviceFacts(device="directml", provider=DIRECTML, is_there=True)


def _own_libraries(onnxruntime: Any) -> tuple[str, ...]:
    if not getattr(onnxruntime, "__file__", None):
        return ()
    folder = Path(onnxruntime.__file__).parent / "capi"
    found = sorted(folder.glob("libonnxruntime.*")) or sorted(folder.glob("onnxruntime.dll"))
    return tuple(_below_packages(path) for path in found[:1])


def _below_packages(path: Path) -> str:
    """Leave out the folder that packages are installed in: it may be named after a person."""
    places = [Path(place) for place in sys.path if place and path.is_relative_to(place)]
    # A folder that is itself within another: the innermost holds the package.
    innermost = max(places, key=lambda place: len(place.parts), default=path.parent)
    return path.relative_to(innermost).as_posix()
