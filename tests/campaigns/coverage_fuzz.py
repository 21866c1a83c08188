"""Search for files that a reader breaks its promise on, led by which lines of Python they reach.

    pip install atheris==3.0.0     # not in the dev extra: it has wheels for few platforms
    python tests/campaigns/coverage_fuzz.py [image|dicom|nifti ...] [--seconds 180]

The seeds of R1 to R3 are the start, and ``runs/coverage_fuzz/READER`` keeps what reached new lines, so that another
run goes on there. A file that gets an unnamed exception, takes more than 2 s or 512 MB, or whose text is shown is
written to its folder ``findings``, one for each kind of failure. Exit status 1 if there is one.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

_RUNS = Path(__file__).resolve().parents[2] / "runs" / "coverage_fuzz"
_READERS = ("image", "dicom", "nifti")
_INSTRUMENTED = ["edge_infer", "pydicom", "nibabel", "PIL"]
_PROGRESS = re.compile(r"#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+)")
_LONGEST_BYTES = 65_536


def main() -> int:
    """Fuzz each reader in a process of its own, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(_READERS)}")
    parser.add_argument("--seconds", type=int, default=180, help="for each reader")
    parser.add_argument("--child", choices=_READERS, help=argparse.SUPPRESS)
    given, rest = parser.parse_known_args()
    if given.child:
        return _fuzz(given.child, [*given.readers, *rest])
    if set(given.readers) - set(_READERS) or rest:
        parser.error(f"readers are {', '.join(_READERS)}")
    return max([_session(reader, given.seconds) for reader in given.readers or _READERS])


def _session(reader: str, seconds: int) -> int:
    folder = _RUNS / reader
    for part in ("corpus", "seeds", "findings"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    options = [
        *(str(folder / "corpus"), str(folder / "seeds")),
        *(f"-max_total_time={seconds}", f"-max_len={_LONGEST_BYTES}", "-timeout=30"),
        *("-rss_limit_mb=3072", f"-artifact_prefix={folder / 'findings'}/", "-print_final_stats=1"),
    ]
    log = folder / "log.txt"
    with log.open("wb") as written:
        done = subprocess.run(
            [sys.executable, __file__, "--child", reader, *options],
            stderr=written,
            stdout=written,
            check=False,
        )
    steps = _PROGRESS.findall(log.read_text("utf-8", "replace"))
    found = sorted(path.name for path in (folder / "findings").iterdir())
    if not steps:
        print(f"{reader}: did not start, see {folder.name}/log.txt")
        return 1
    begun = next((step for step in steps if step[1] == "INITED"), steps[0])
    last, execs = steps[-1], int(steps[-1][0])
    kept = sum(1 for _ in (folder / "corpus").iterdir())
    print(
        f"{reader}: {execs:,} files, {execs / seconds:.0f}/s; lines and branches reached {begun[2]} -> {last[2]}, "
        f"with counts {begun[3]} -> {last[3]}; corpus {kept}; findings {len(found)}",
        *found,
        sep="\n  ",
        flush=True,
    )
    return 1 if found or done.returncode else 0


def _fuzz(reader: str, options: list[str]) -> int:
    """Fuzz in this process, which libFuzzer ends."""
    try:
        import atheris
    except ImportError:
        print("needs pip install atheris==3.0.0", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=_INSTRUMENTED):
        read, seeds = _reader(reader)
    from reliability.campaign import Broken
    from reliability.inputs.watching import watched

    folder = _RUNS / reader
    for name, data in seeds.items():
        if len(data) <= _LONGEST_BYTES:
            (folder / "seeds" / re.sub(r"\W+", "-", name)).write_bytes(data)
    known: set[str] = set()

    def one(data: bytes) -> None:
        try:
            watched(lambda: read(data))
        except Broken as broken:
            failure = re.sub(r"[\d.]+", "N", str(broken))
        except Exception as error:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            failure = f"{type(error).__name__} {place.tb_frame.f_code.co_name if place else ''}"
        else:
            return
        if failure not in known:
            known.add(failure)
            digest = hashlib.sha256(data).hexdigest()[:8]
            name = re.sub(r"\W+", "-", failure)[:60]
            (folder / "findings" / f"{name}-{digest}").write_bytes(data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()
    return 0


def _reader(name: str) -> tuple[Callable[[bytes], str], dict[str, bytes]]:
    """Return what reads a file, and whole files."""
    from reliability.inputs.image_seeds import seeds
    from reliability.inputs.scan_seeds import base_files, dicom_files, nifti_files

    from edge_infer.dicom.read import open_dicom
    from edge_infer.image_file import read_image
    from edge_infer.nifti.read import open_nifti
    from edge_infer.refusals import OVERRULABLE
    from edge_infer.scan_slice import ScanFile

    despite = {refusal.value for refusal in OVERRULABLE}

    def dicom(data: bytes) -> str:
        slices = open_dicom(ScanFile(name="fuzzed.dcm", read=lambda: data), despite=despite)
        return "".join(repr(one.read()) + repr(one) for one in slices[:8])

    def nifti(data: bytes) -> str:
        slices = open_nifti(ScanFile(name="fuzzed.nii", read=lambda: data))
        return "".join(repr(one.read()) + repr(one) for one in slices[:8])

    volumes = {kind: data for kind, data in base_files().items() if kind.startswith("nifti")}
    return {
        "image": (lambda data: repr(read_image(data).info), seeds()),
        "dicom": (dicom, dicom_files()),
        "nifti": (nifti, volumes | nifti_files()),
    }[name]


if __name__ == "__main__":
    sys.exit(main())
