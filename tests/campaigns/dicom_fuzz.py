"""Damage headers and pixels of drawn DICOM and NIfTI files at random: only our own errors may come out, soon.

    python tests/campaigns/dicom_fuzz.py [SEEDS] [FIRST]

Prints how many files were read and refused, by code, the slowest, and whatever else came out. A message may hold no
value of a header: canaries are looked for in each. Exits with 1 if something else came out.
"""

import collections
import contextlib
import functools
import gzip
import io
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from dicom_files import (
    compressed,
    drawn_volume,
    enhanced_mr,
    file_bytes,
    lut,
    mr_slice,
    secondary_capture,
)

from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError
from edge_infer.nifti.read import open_nifti
from edge_infer.refusals import OVERRULABLE
from edge_infer.scan_slice import ScanFile

__all__ = ["base_files", "mutated", "outcome_of"]


@functools.cache
def base_files() -> dict[str, bytes]:
    """Return whole files, by kind; NIfTI kinds begin with ``nifti``."""
    volume = drawn_volume(slices=4, rows=48, columns=40)
    window = {"WindowCenter": "700", "WindowWidth": "1400"}
    classic = mr_slice(volume[2], **window)
    enhanced = enhanced_mr(
        volume, windows=[(700 + n, 1400) for n in range(4)], rescales=[(2, 1)] * 4
    )
    table = lut([value * 2 for value in range(1500)], first=0)
    files = {"classic": classic, "enhanced": enhanced, "capture": secondary_capture()}
    files["table"] = mr_slice(volume[2], ModalityLUTSequence=table, VOILUTSequence=table)
    for syntax in ("implicit", "deflated", "big-endian", "rle", "jpeg-lossless", "jpeg-ls"):
        files[syntax] = compressed(classic, syntax)
    files["jpeg-2000"] = compressed(classic, "jpeg-2000")
    files["enhanced-jpeg-ls"] = compressed(enhanced, "jpeg-ls")
    found = {kind: file_bytes(dataset) for kind, dataset in files.items()}
    image = nibabel.Nifti1Image(volume.transpose(2, 1, 0).astype(np.int16), np.diag([1, 1, 4, 1]))
    found["nifti"] = image.to_bytes()
    found["nifti-gz"] = gzip.compress(found["nifti"], mtime=0)
    return found


def mutated(data: bytes, seed: int) -> bytes:
    """Return a file with a few damages; most of them in its first 3,000 bytes, where the header is."""
    rng = random.Random(seed)  # noqa: S311  # no secrets, but the same damages everywhere
    file = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        end = min(len(file), rng.choice((200, 1000, 3000, len(file))))
        at = rng.randrange(max(end, 1))
        kind = rng.randrange(8)
        if kind == 0:
            file[at] = rng.randrange(256)
        elif kind == 1:
            file[at] ^= 1 << rng.randrange(8)
        elif kind == 2:  # a length, or part of a number
            value = rng.choice((0, 1, 0x7FFF, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, rng.randrange(2**32)))
            file[at : at + 4] = value.to_bytes(4, "little")
        elif kind == 3:
            del file[at : at + rng.choice((1, 2, 8, 200))]
        elif kind == 4:
            file[at:at] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif kind == 5:
            del file[max(at, 1) :]
        elif kind == 6:  # a value representation
            file[at : at + 2] = rng.choice((b"SQ", b"UN", b"DS", b"US", b"OB", b"IS", b"UI", b"PN"))
        else:
            source = rng.randrange(len(file))
            file[at : at + 32] = file[source : source + 32]
        if not file:
            return b""
    return bytes(file)


def outcome_of(kind: str, data: bytes) -> str:
    """Open a file and read its first and last slice; return ``read``, or the code of our error.

    Raises:
        AssertionError: A message shows a canary.
    """
    file = ScanFile(name="fuzz", read=lambda: data)
    try:
        if kind.startswith("nifti"):
            slices = open_nifti(file)
        else:
            slices = open_dicom(file, despite={refusal.value for refusal in OVERRULABLE})
        said = "".join(repr(slices[at].read()) + repr(slices[at]) for at in {0, len(slices) - 1})
        outcome = "read"
    except BrainError as error:
        said, outcome = f"{error}{error.__cause__}", error.code
    if "CANARY" in said:
        raise AssertionError("a canary is shown")
    return outcome


def main() -> int:
    """Run the campaign."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    files = base_files()
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    escaped, slowest = [], (0.0, "", 0)
    printed = io.StringIO()
    with _kept_output(printed):
        for kind, data in files.items():
            for seed in range(first, first + seeds):
                start = time.perf_counter()
                try:
                    outcome = outcome_of(kind, mutated(data, seed))
                except Exception as error:
                    outcome = "ESCAPED"
                    escaped.append(f"{kind} {seed}: {type(error).__name__}: {error}")
                counts[kind, outcome] += 1
                slowest = max(slowest, (time.perf_counter() - start, kind, seed))
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind:18} {outcome:14} {count}")
    print(f"slowest: {slowest[0]:.2f} s ({slowest[1]} {slowest[2]})")
    print(f"printed by libraries: {len(printed.getvalue())} characters")
    print(f"escaped: {len(escaped)}", *escaped[:20], sep="\n  ")
    return 1 if escaped or printed.getvalue() else 0


@contextlib.contextmanager
def _kept_output(into: io.StringIO) -> Iterator[None]:
    with contextlib.redirect_stdout(into), contextlib.redirect_stderr(into):
        yield


if __name__ == "__main__":
    sys.exit(main())
