"""Read every DICOM file at hand: a table of transfer syntax x file, compared with dcmtk and highdicom.

    python tests/campaigns/dicom_table.py [FOLDER ...]

FOLDER defaults to those of the real scans; pydicom's own test files come on top. A refused kind is read once more with
all overrulable refusals overruled, so that its pixels are decoded too. Markdown goes to standard output; exit status 1
if anything but our own errors came out, or grey levels differ by more than 1.5.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.dicom.content import parse
from edge_infer.dicom.decoders import name_of_syntax
from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError, ScanRefused
from edge_infer.refusals import OVERRULABLE
from edge_infer.scan_files import MAX_SCAN_BYTES, kind_of
from edge_infer.scan_slice import ScanFile, ScanSlice

ROOT = Path(__file__).parents[2]
ALL = {refusal.value for refusal in OVERRULABLE}
MOST_LEVELS = 1.5  # dcmtk rounds down, we to the nearest


def main() -> int:
    """Print the table."""
    data = Path(os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data"))
    folders = [Path(name) for name in sys.argv[1:]] or [data / "dicom"]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    files += _test_files()
    print("| File | Transfer syntax | As it is | Overruled | dcm2pnm | highdicom |")
    print("|---|---|---|---|---|---|")
    bad, counts = 0, {"decoded": 0, "refused": 0}
    for path in files:
        start = path.read_bytes()[:512]
        if kind_of(start) != "dicom" and path.suffix != ".dcm":
            continue
        as_it_is, slices = _tried(path, set())
        overruled = ""
        if slices is None and as_it_is.startswith("refused"):
            overruled, slices = _tried(path, ALL)
        counts["refused" if slices is None else "decoded"] += 1
        dcmtk, highdicom = _differences(path, slices) if slices else ("", "")
        bad += "ESCAPED" in as_it_is + overruled
        bad += any(text.startswith("**") for text in (dcmtk, highdicom))
        name = f"{path.parent.name}/{path.name}"
        print(
            f"| {name} | {_syntax(path)} | {as_it_is} | {overruled} | {dcmtk} | {highdicom} |",
            flush=True,
        )
    print(f"\n{counts['decoded']} decoded, {counts['refused']} not; {bad} to look at.")
    return 1 if bad else 0


def _test_files() -> list[Path]:
    from pydicom.data import get_testdata_file, get_testdata_files

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {Path(name) for name in get_testdata_files("*")}
    found.add(Path(get_testdata_file("DICOMDIR", download=False)))
    return sorted(path for path in found if path.is_file() and "DICOMDIR-" not in path.name)


def _tried(path: Path, despite: set[str]) -> tuple[str, list[ScanSlice] | None]:
    """Return what became of a file, and its slices if they could be read."""
    try:
        slices = open_dicom(ScanFile.at(path, limit=MAX_SCAN_BYTES), despite=despite)
        shown = slices[0].read()
        slices[-1].read()
    except ScanRefused as error:
        return f"refused: {error.refusal.value}", None
    except BrainError as error:
        return f"{error.code}: {_without(error.message, path)}", None
    except Exception as error:
        return f"**ESCAPED {type(error).__name__}**", None
    frames = f"{len(slices)} frames, " if len(slices) > 1 else ""
    return f"decoded: {frames}{shown.grey}", slices


def _without(message: str, path: Path) -> str:
    return message.removeprefix(f"{path}: ").split(", expected one of")[0]


def _syntax(path: Path) -> str:
    try:
        content = parse(path.read_bytes(), path.name, with_pixels=False)
    except BrainError:
        return "?"
    stated = "" if content.is_syntax_stated else " (not stated)"
    return name_of_syntax(content.transfer_syntax) + stated


def _differences(path: Path, slices: list[ScanSlice]) -> tuple[str, str]:
    """Return the largest difference of grey levels from dcmtk and highdicom, of the first slice as stored."""
    shown = slices[0].read()
    geometry = slices[0].geometry
    is_turned = geometry is not None and geometry.shown != "as stored"
    if "percentiles" in shown.grey or "colours" in shown.grey or is_turned:
        return "-", "-"
    ours = np.asarray(shown.source.image, dtype=np.float64)
    uses_table = "VOI LUT" in shown.grey
    theirs = (_by_dcmtk(path, uses_table=uses_table), _by_highdicom(path))
    return _difference(ours, theirs[0]), _difference(ours, theirs[1])


def _difference(ours: NDArray[np.float64], theirs: NDArray[np.float64] | None) -> str:
    if theirs is None:
        return "not read"
    if theirs.shape != ours.shape:
        return f"**{theirs.shape}, ours {ours.shape}**"
    largest = float(np.abs(ours - theirs).max())
    return f"{largest:.2f}" if largest <= MOST_LEVELS else f"**{largest:.2f}**"


def _by_dcmtk(path: Path, *, uses_table: bool) -> NDArray[np.float64] | None:
    if shutil.which("dcm2pnm") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "shown.png"
        voi = "+Wl" if uses_table else "+Wi"
        command = ["dcm2pnm", "--no-overlays", voi, "1", "--write-png", str(path), str(target)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode or not target.is_file():
            return None
        return np.asarray(Image.open(target).convert("L"), dtype=np.float64)


def _by_highdicom(path: Path) -> NDArray[np.float64] | None:
    import highdicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image: Any = highdicom.imread(path)
            options = {"apply_voi_transform": True, "apply_real_world_transform": False}
            frame = image.get_frame(1, **options)
        except Exception:
            return None
    return np.asarray(frame, dtype=np.float64) * 255


if __name__ == "__main__":
    sys.exit(main())
