"""R17: a process that answers on and on.

Judged are resident memory and what a process holds: what the C library has given out and not got back, and the objects
of Python. In the first 3,000 calls these differ: the C library keeps what is freed in heaps of threads, which grew by 5
to 15 MiB, in steps, while what was in use grew by 0.02 KiB a call.
"""

import contextlib
import ctypes
import gc
import io
import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from dicom_files import file_bytes, mr_series
from numpy.typing import NDArray
from PIL import Image
from reliability.campaign import Broken, Campaign, Seen, Subject
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import files_with_scope, manifest_body, scan, tiny_series, tiny_trust

from edge_infer.bundle import load_bundle, shipped_bundle_path, write_bundle
from edge_infer.classifier import Classifier
from edge_infer.errors import BrainError
from edge_infer.series.classify import classify_series
from edge_infer.series.study import open_study

__all__ = ["CAMPAIGN"]

_EVERY = 10  # calls between two measurements

#: What may grow in the second half of all calls so far, a call: KiB, and objects of Python.
_SLOPE_KIB = 0.1
_SLOPE_OBJECTS = 1.0
#: Beyond what comes and goes by itself: of what is in use, of objects, and of resident memory.
_FLOOR_KIB = 1024.0
_FLOOR_OBJECTS = 5000
_RESIDENT_FLOOR_KIB = 4096.0

#: Figures are those of a process that has answered so often.
_LONG = 5000

_Call = Callable[[], object]


@dataclass
class _Soak:
    """The calls, and what was measured in this process: the state that a leak would be in."""

    calls: list[_Call]
    leak: Callable[[], object] = lambda: None
    resident_kib: list[float] = field(default_factory=list)
    held_kib: list[float] = field(default_factory=list)
    objects: list[float] = field(default_factory=list)
    blocks_ms: list[NDArray[np.float64]] = field(default_factory=list)
    flat: tuple[int, int] | None = None


def _contents() -> Iterator[bytes]:
    """Yield image files of many sizes and kinds, a fifth of which cannot be read."""
    for number, side in enumerate((16, 33, 64, 100, 150, 224, 256, 300, 400, 512, 640, 1024)):
        image = scan(number, (side + number, side))
        for kind, mode in (
            ("PNG", "L"),
            ("JPEG", "L"),
            ("BMP", "L"),
            ("TIFF", "L"),
            ("JPEG", "RGB"),
        ):
            yield _saved(image.convert(mode), kind)
        deep = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
        yield _saved(deep, "PNG")
        whole = _saved(image, ("PNG", "JPEG", "TIFF", "BMP")[number % 4])
        yield whole[: len(whole) * (number + 1) // 14]
        yield (b"no image", b"", b"GIF89a" + bytes(99), whole[:64][::-1])[number % 4]


def _saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def _scans(folder: Path) -> list[Path]:
    """Write a series, one with a damaged slice, a volume and a cut volume."""
    volume = np.stack([HEALTHY, GLIOMA, GLIOMA, HEALTHY])
    made = []
    for name, cut in (("series", None), ("damaged", 900)):
        (folder / name).mkdir()
        for number, dataset in enumerate(mr_series(volume.astype(np.uint16))):
            data = file_bytes(dataset)
            (folder / name / f"{number}.dcm").write_bytes(data[:cut] if number == 2 else data)
        made.append(folder / name)
    image = nib.Nifti1Image(
        volume.transpose(2, 1, 0).astype(np.uint8), np.diag([-1.0, -1.0, 4.0, 1.0])
    )
    nib.save(image, folder / "volume.nii.gz")
    (folder / "cut.nii.gz").write_bytes((folder / "volume.nii.gz").read_bytes()[:-40])
    return [*made, folder / "volume.nii.gz", folder / "cut.nii.gz"]


def _tiny(folder: Path) -> Path:
    body = manifest_body(trust=tiny_trust(), series=tiny_series())
    write_bundle(folder / "bundle", files_with_scope(), body)
    return folder / "bundle"


def _ours(folder: Path) -> _Soak:
    path = _tiny(folder)
    tiny, shipped = Classifier.load(path, num_threads=1), Classifier.load(num_threads=1)
    limited = tiny.with_timeout(300)
    scans, contents = _scans(folder), list(_contents())
    (folder / "image.png").write_bytes(contents[3])

    def answer(classifier: Classifier, content: Any) -> None:
        with contextlib.suppress(BrainError):
            classifier.predict(content)

    def study(one: Path) -> None:
        with contextlib.suppress(BrainError):
            for series in open_study(one).series:
                classify_series(tiny, series)

    def anew(bundle: Path | None, threads: int) -> None:
        with contextlib.suppress(BrainError):
            Classifier.load(bundle, num_threads=threads, self_test="off").predict(contents[0])

    calls: list[_Call] = [lambda content=content: answer(tiny, content) for content in contents]
    calls += [lambda content=content: answer(limited, content) for content in contents[::4]]
    calls += [lambda content=content: answer(shipped, content) for content in contents[::9]]
    calls += [
        lambda: answer(tiny, folder / "image.png"),
        lambda: answer(tiny, folder / "missing.png"),
    ] * 3
    calls += [lambda one=one: study(one) for one in scans * 2]
    calls += [lambda threads=threads: anew(path, threads) for threads in (1, 2, 4)]
    calls += [lambda: anew(None, 2), lambda: anew(folder / "none", 1)]
    return _warmed(_Soak(calls))


def _leaking(folder: Path) -> _Soak:
    soak = _ours(folder)
    kept: list[bytes] = []
    soak.leak = lambda: kept.append(b"x" * 20_000)  # as a cache of thumbnails without a limit
    return soak


def _plain(folder: Path) -> _Soak:
    import onnxruntime

    sizes: dict[str, int] = {}

    def opened(path: Path, threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(path / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        sizes[str(id(session))] = session.get_inputs()[0].shape[2]
        return session

    path = _tiny(folder)
    tiny, shipped = opened(path, 1), opened(shipped_bundle_path(), 1)
    side = load_bundle(shipped_bundle_path()).preprocessor.height
    scans, contents = _scans(folder), list(_contents())

    def answer(session: Any, size: int, content: bytes) -> None:
        with contextlib.suppress(Exception):
            _run(session, size, Image.open(io.BytesIO(content)).convert("L"))

    def study(one: Path) -> None:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if one.is_dir():
                slices = [pydicom.dcmread(file).pixel_array for file in one.iterdir()]
            else:
                slices = list(np.moveaxis(np.asarray(nib.load(one).dataobj), 2, 0))
            for pixels in slices:
                _run(tiny, 32, Image.fromarray(pixels.astype(np.uint8)))

    calls: list[_Call] = [lambda content=content: answer(tiny, 32, content) for content in contents]
    calls += [lambda content=content: answer(shipped, side, content) for content in contents[::9]]
    calls += [lambda one=one: study(one) for one in scans * 2]
    calls += [
        lambda threads=threads: answer(opened(path, threads), 32, contents[0])
        for threads in (1, 2, 4)
    ]
    calls += [lambda: answer(opened(shipped_bundle_path(), 2), side, contents[0])]
    return _warmed(_Soak(calls))


def _run(session: Any, size: int, image: Image.Image) -> None:
    grey = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255
    session.run(None, {"pixel_values": np.broadcast_to(grey, (1, 3, size, size)).copy()})


def _warmed(soak: _Soak) -> _Soak:
    for call in soak.calls:
        call()
    return soak


def _block(soak: _Soak, number: int, folder: Path) -> Seen:
    del folder
    order = np.random.default_rng([17, number]).permutation(len(soak.calls))
    spent = np.zeros(len(order))
    for place, chosen in enumerate(order):
        before = time.process_time()
        soak.calls[chosen]()
        spent[chosen] = (time.process_time() - before) * 1000
        soak.leak()
        if place % _EVERY == _EVERY - 1:
            soak.resident_kib.append(_resident_kib())
            soak.held_kib.append(_held_kib())
            soak.objects.append(sys.getallocatedblocks())
    soak.blocks_ms.append(spent)
    gc.collect()
    now = _entries("/proc/self/fd"), _entries("/proc/self/task")
    soak.flat = soak.flat or now
    if now[0] != soak.flat[0]:
        raise Broken(f"{now[0] - soak.flat[0]:+} open files since the first block")
    if now[1] != soak.flat[1]:
        raise Broken(f"{now[1] - soak.flat[1]:+} threads since the first block")
    calls = len(order) * len(soak.blocks_ms)
    if len(soak.blocks_ms) > 1:
        _judge(soak.held_kib, calls, _SLOPE_KIB, _FLOOR_KIB, "KiB in use")
        _judge(soak.objects, calls, _SLOPE_OBJECTS, _FLOOR_OBJECTS, "objects of Python")
        _judge(soak.resident_kib, calls, _SLOPE_KIB, _RESIDENT_FLOOR_KIB, "KiB of resident memory")
    figures = {"resident, MiB": soak.resident_kib[-1] / 1024}
    if calls >= _LONG:
        figures["growth in the second half, KiB a call"] = _slope(soak.resident_kib)
        figures["of that in use, KiB a call"] = _slope(soak.held_kib)
        figures["p99 of the last quarter against the second, %"] = _drift(soak.blocks_ms)
    return Seen(kind="steady", figures=figures, tries=len(order))


def _judge(measured: list[float], calls: int, most: float, floor: float, what: str) -> None:
    slope = _slope(measured)
    if slope > most and slope * calls / 2 > floor:
        raise Broken(f"{slope:.2f} {what} more a call over the second half of {calls} calls")


def _entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _resident_kib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


def _held_kib() -> float:
    """Return what the C library has given out and not got back: resident memory without what it keeps free."""
    information = ctypes.CDLL(None).mallinfo2  # GNU, from 2.33 on
    information.restype = _Information
    seen = information()
    return float(seen.uordblks + seen.hblkhd) / 1024


class _Information(ctypes.Structure):
    """``struct mallinfo2``, malloc.h."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _slope(measured: list[float]) -> float:
    """Return growth a call in the second half of the measurements: the median slope (Theil and Sen)."""
    half = measured[len(measured) // 2 :]
    step = max(1, len(half) // 200)
    points = list(enumerate(half))[::step]
    slopes = [(b - a) / (y - x) for (x, a), (y, b) in itertools.combinations(points, 2)]
    return float(np.median(slopes)) / _EVERY


def _drift(blocks_ms: list[NDArray[np.float64]]) -> float:
    """Return by how much the 99th percentile of processor time of a call has changed, in percent."""
    quarter = len(blocks_ms) // 4
    second, last = (
        np.percentile(np.concatenate(part), 99)
        for part in (blocks_ms[quarter : 2 * quarter], blocks_ms[-quarter:])
    )
    return float(last / second - 1) * 100


CAMPAIGN = Campaign(
    id="R17",
    title="Soak",
    promise=(
        "A process answers on and on in the same memory: at most 0.1 KiB more a call in the second half, "
        "and no more open files or threads."
    ),
    attack=(
        "asks one process, which goes on with the next trial, for images of 16 to 1,024 pixels in four formats, "
        "damaged ones, DICOM and NIfTI series, and lets it load bundles and let them go"
    ),
    unit="calls",
    subjects={
        "ours": Subject(
            trial=_block, prepare=_ours, what="`Classifier`, `open_study` and `classify_series`"
        ),
        "control": Subject(
            trial=_block, prepare=_leaking, what="the same, keeping 20 kB of each call"
        ),
        "raw": Subject(
            trial=_block,
            prepare=_plain,
            what="onnxruntime, Pillow, pydicom and nibabel by themselves",
        ),
    },
    ci={"ours": 2, "control": 2, "raw": 0},
    full={"ours": 1300, "control": 20, "raw": 300},
    limit_s=300,
    chunk=20,
    processes=1,
)
