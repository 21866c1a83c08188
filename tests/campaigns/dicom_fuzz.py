"""Damage headers and pixels of drawn DICOM and NIfTI files at random: only our own errors may come out, soon.

    python tests/campaigns/dicom_fuzz.py [SEEDS] [FIRST]

Prints how many files were read and refused, by code, the slowest, and whatever else came out. A message may hold no
value of a header: canaries are looked for in each. Exits with 1 if something else came out.
"""

import collections
import contextlib
import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from reliability.inputs.scan_seeds import base_files, mutated

from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError
from edge_infer.nifti.read import open_nifti
from edge_infer.refusals import OVERRULABLE
from edge_infer.scan_slice import ScanFile

__all__ = ["base_files", "mutated", "outcome_of"]


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
