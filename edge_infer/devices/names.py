"""Devices as people name them: ``cuda:1``, ``openvino:GPU``."""

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["DEVICE_FORMS", "Device", "DeviceName", "Kind", "parse_device"]

#: A device as given; ``parse_device`` says which are known.
Device = str

Kind = Literal["cpu", "cuda", "openvino", "directml", "auto"]

DEVICE_FORMS = (
    "cpu, cuda, cuda:N, openvino, openvino:CPU, openvino:GPU, openvino:GPU.N, openvino:NPU, "
    "directml, directml:N or auto"
)

#: Of each kind, what may stand behind the colon, and what is meant where nothing does.
_WHICH: dict[Kind, tuple[str, str]] = {
    "cpu": ("", ""),
    "cuda": (r"\d{1,2}", "0"),
    "openvino": (r"CPU|GPU(?:\.\d{1,2})?|NPU", "CPU"),
    "directml": (r"\d{1,2}", "0"),
    "auto": ("", ""),
}


@dataclass(frozen=True, slots=True)
class DeviceName:
    """A device, parsed.

    Attributes:
        kind: What the name begins with.
        which: The ordinal of a GPU (CUDA, DirectML) or OpenVINO's name of a device; empty for the others.
    """

    kind: Kind
    which: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.which}" if self.which else self.kind


def parse_device(text: Device) -> DeviceName:
    """Read the name of a device.

    Raises:
        ValueError: There is no such device; the message lists the known ones.
    """
    begin, colon, which = text.partition(":")
    for kind, (pattern, default) in _WHICH.items():
        if begin != kind:
            continue
        if not colon:
            return DeviceName(kind, default)
        if pattern and re.fullmatch(pattern, which, re.ASCII):
            return DeviceName(kind, str(int(which)) if which.isdigit() else which)
    raise ValueError(f"device is {text!r}, expected {DEVICE_FORMS}")
