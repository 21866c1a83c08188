"""R5: small files that ask for much memory or time."""

import contextlib
import io
import json
import os
import resource
import select
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import nibabel
import pydicom
from PIL import Image
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.inputs.bomb_files import BOMBS, STRENGTHS

from edge_infer import image_limits, scan_files
from edge_infer.dicom import content, frames
from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError
from edge_infer.image_file import read_image
from edge_infer.nifti import volume
from edge_infer.nifti.read import open_nifti
from edge_infer.scan_slice import ScanFile
from edge_infer.series import archive

__all__ = ["CAMPAIGN"]

_MOST_SECONDS = 2.0
#: Beside these, for each slice of a file: a file may hold 4,096 images.
_SECONDS_A_SLICE = 0.002
_MOST_MB = 512
#: Address space that a process may take beyond what it has when the file is opened.
_LIMIT_BYTES = 2 * 2**30
_WAIT_S = 90  # a busy machine; the processor's time is limited below
_LONGEST_CPU_S = 12

#: Returns how many slices there are, where there may be several.
_Reader = Callable[[bytes, Path], object]


def _read_slices(slices: list[Any]) -> int:
    for one in {0: slices[0], len(slices) - 1: slices[-1]}.values():
        one.read()
    return len(slices)


def _read_zip(data: bytes, folder: Path) -> int:
    path = folder / "study.zip"
    path.write_bytes(data)
    slices = 0
    for member in archive.Archive(path).members():
        member.start()
        slices += _read_slices(open_dicom(member.file))
    return slices


_OURS: dict[str, _Reader] = {
    "image": lambda data, _: read_image(data),
    "dicom": lambda data, _: _read_slices(open_dicom(ScanFile(name="bomb", read=lambda: data))),
    "nifti": lambda data, _: _read_slices(open_nifti(ScanFile(name="bomb", read=lambda: data))),
    "zip": _read_zip,
}


def _raw_zip(data: bytes, _: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for name in file.namelist():
            pydicom.dcmread(io.BytesIO(file.read(name))).pixel_array  # noqa: B018  # decodes


def _raw_nifti(data: bytes, folder: Path) -> None:
    path = folder / ("bomb.nii.gz" if data.startswith(b"\x1f\x8b") else "bomb.nii")
    path.write_bytes(data)
    nibabel.load(path).get_fdata()


_RAW: dict[str, _Reader] = {
    "image": lambda data, _: Image.open(io.BytesIO(data)).convert("L"),
    "dicom": lambda data, _: pydicom.dcmread(io.BytesIO(data)).pixel_array,
    "nifti": _raw_nifti,
    "zip": _raw_zip,
}


def _trial(readers: dict[str, _Reader], number: int, folder: Path) -> Seen:
    kind = list(BOMBS)[number % len(BOMBS)]
    strength = (number // len(BOMBS) + 5 * number) % STRENGTHS
    data = BOMBS[kind](strength)
    told = _in_child(lambda: readers[kind.split()[0]](data, folder))
    name = f"{kind}, strength {strength}, {len(data):,} bytes"
    if told is None:
        raise Broken(
            f"{name}: the process died, or took more than {_LONGEST_CPU_S} s of the processor"
        )
    if told["kind"] == "unnamed":
        raise Broken(f"{name}: {told['what']} came out")
    if told["cpu_s"] > _MOST_SECONDS + _SECONDS_A_SLICE * told["slices"]:
        slices = f", {told['slices']:,} slices" if told["slices"] > 1 else ""
        raise Broken(f"{name}{slices}: {told['kind']} after {told['cpu_s']:.1f} s of the processor")
    if told["mb"] > _MOST_MB:
        raise Broken(f"{name}: {told['kind']}, with {told['mb']:.0f} MB of memory")
    figures = {"processor time, s": told["cpu_s"], "memory, MB": told["mb"]}
    return Seen(kind=told["kind"], figures=figures)


def _in_child(read: Callable[[], object]) -> dict[str, Any] | None:
    """Read in a process of its own under a limit of memory, and return what it tells; None if it died."""
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(receiver)
            os.write(sender, json.dumps(_told(read)).encode())
        finally:
            os._exit(0)
    os.close(sender)
    try:
        with os.fdopen(receiver, "rb") as pipe:
            ready, _, _ = select.select([pipe], [], [], _WAIT_S)
            text = pipe.read() if ready else b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return json.loads(text) if text else None


def _told(read: Callable[[], object]) -> dict[str, Any]:
    sys.stderr = sys.stdout = io.StringIO()
    before = _memory_kib("VmRSS")
    most = _memory_kib("VmSize") * 1024 + _LIMIT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (_LONGEST_CPU_S, _LONGEST_CPU_S))
    began = time.process_time()
    what, slices = "", 1
    try:
        found = read()
        slices, kind = found if isinstance(found, int) else 1, "read"
    except BrainError as error:
        kind = f"refused, {error.code}"
    except Exception as error:  # told, and judged by the parent
        kind, what = "unnamed", type(error).__name__
    took = time.process_time() - began
    mb = max(0, _memory_kib("VmHWM") - before) / 1024
    return {"kind": kind, "what": what, "cpu_s": took, "mb": mb, "slices": slices}


def _memory_kib(field: str) -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split(f"{field}:")[1].split()[0])


def _without_limits(folder: Path) -> dict[str, _Reader]:
    """Take our limits away for as long as the process lives."""
    del folder
    endless = 2**62
    for module, names in {
        image_limits: ("MAX_SIDE", "MAX_PIXELS"),
        content: ("MAX_SCAN_BYTES", "_MOST_ELEMENTS", "_MOST_STEPS"),
        scan_files: ("MAX_RATIO",),
        frames: ("MAX_FRAMES",),
        volume: ("MAX_SCAN_BYTES", "MAX_SLICES"),
        archive: ("MAX_MEMBERS", "MAX_RATIO", "MAX_SCAN_BYTES", "MAX_TOTAL_BYTES"),
    }.items():
        for name in names:
            mock.patch.object(module, name, endless).start()
    return _OURS


def _named_by_pillow(readers: dict[str, _Reader], number: int, folder: Path) -> Seen:
    """Count whatever the libraries raise as a refusal."""
    kind = list(BOMBS)[number % len(BOMBS)].split()[0]

    def read(data: bytes, place: Path) -> None:
        try:
            readers[kind](data, place)
        except MemoryError:
            raise
        except Exception as error:
            raise BrainError(type(error).__name__) from error

    return _trial({kind: read}, number, folder)


_ALL = len(BOMBS) * STRENGTHS

CAMPAIGN = Campaign(
    id="R5",
    title="Bombs",
    promise="A small file that asks for much is refused or read within 2 s of the processor, 2 ms more for each slice "
    "of a file, and 512 MB of memory.",
    attack=(
        f"reads one of {len(BOMBS)} kinds of bombs at one of {STRENGTHS} strengths in a process of its own that may "
        "take 2 GiB: sides, areas, frames, nested and repeated parts, and what unpacks to 8 GiB"
    ),
    unit="bombs",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=lambda _: _OURS,
            what="our readers of images, DICOM, NIfTI and ZIP",
        ),
        "control": Subject(
            trial=_trial, prepare=_without_limits, what="the same without their limits"
        ),
        "raw": Subject(
            trial=_named_by_pillow,
            prepare=lambda _: _RAW,
            what="Pillow, pydicom, nibabel and zipfile as they come; any exception but MemoryError counts as a refusal",
        ),
    },
    ci={"ours": 12, "control": 8, "raw": 6},
    full={"ours": _ALL, "control": _ALL, "raw": _ALL},
    limit_s=_WAIT_S + 10,
    chunk=11,
    control_share=0.1,
)
