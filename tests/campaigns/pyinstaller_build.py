"""Freeze programs that use edge_infer with PyInstaller, in a temporary venv, and run them without any environment.

    python tests/campaigns/pyinstaller_build.py [--onefile]

Needs the network for pip. Two programs: a host program of one's own, with no option at all, and examples/pyinstaller
with the readers of DICOM and NIfTI. The frozen brain-infer must give what the installed one gives: on files, as a
worker for a host program, and on DICOM where BRAIN_EDGE_DATA has some. Exits with the status of what failed first.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("brisc_*.jpg"))
DATA = Path(os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data"))
DICOM = DATA / "dicom" / "enhanced_mr"  # one scan, and the same with RLE, JPEG-LS and JPEG 2000
STARTS = 7

APP = """
import sys
from edge_infer import Classifier
from edge_infer.runtime import versions
prediction = Classifier.load(self_test="full").predict(sys.argv[1])
print(prediction.label, f"{prediction.score:.3f}", versions())
"""


def run(*command: str | Path, folder: Path, alone: bool = False) -> str:
    """Run a command, show it, and return what it prints.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        alone: Leave nothing of Python, of the venv or of a home in its environment.
    """
    sys.stdout.write(f"$ {' '.join(Path(str(word)).name for word in command)}\n")
    finished = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={} if alone and sys.platform != "win32" else None,
    )
    if finished.returncode:
        sys.stdout.write(finished.stdout[-3000:] + finished.stderr[-3000:])
        sys.exit(finished.returncode)
    return finished.stdout


def environment(folder: Path, extras: str) -> Path:
    """Install the package and PyInstaller into a venv; return the folder of its programs."""
    venv.create(folder, with_pip=True)
    binaries = folder / ("Scripts" if sys.platform == "win32" else "bin")
    run(binaries / "pip", "install", "--quiet", f"{ROOT}[{extras}]", "pyinstaller", folder=folder)
    return binaries


def size_of(folder: Path) -> str:
    """Return the size of a frozen program."""
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 2**20:.0f} MiB"


def own_program(folder: Path, form: str) -> None:
    """A host program with no option: the package's hook alone must bring all it needs."""
    binaries = environment(folder / "venv", "cpu")
    (folder / "app.py").write_text(APP)
    run(binaries / "pyinstaller", form, "--log-level", "WARN", "app.py", folder=folder)
    program = folder / "dist" / ("app" if form == "--onefile" else "app/app")
    sys.stdout.write(run(program, EXAMPLES[0], folder=folder / "dist", alone=True))
    sys.stdout.write(f"{form}: {size_of(folder / 'dist')}\n")


def example(folder: Path) -> None:
    """examples/pyinstaller: brain-infer as a folder."""
    shutil.copytree(ROOT / "examples" / "pyinstaller", folder / "spec")
    binaries = environment(folder / "venv", "cpu,dicom,nifti")
    run(binaries / "pyinstaller", "--log-level", "WARN", "brain-infer.spec", folder=folder / "spec")
    frozen = folder / "spec" / "dist" / "brain-infer"
    program, installed = frozen / "brain-infer", binaries / "brain-infer"
    for what, files in (("images", EXAMPLES), ("DICOM", sorted(DICOM.glob("*.dcm")))):
        if files:
            same = lines(program, files, folder) == lines(installed, files, folder)
            sys.stdout.write(
                f"{len(files)} {what}: {'same answers' if same else 'OTHER ANSWERS'}\n"
            )
            if not same:
                sys.exit(1)
    host = ROOT / "examples" / "stdio" / "python" / "classify.py"
    sys.stdout.write(run(sys.executable, host, program, *EXAMPLES, folder=folder, alone=True))
    times: dict[str, list[float]] = {"frozen": [], "installed": []}
    for _ in range(STARTS):
        for kind, command in (("frozen", program), ("installed", installed)):
            start = time.perf_counter()
            subprocess.run([command, EXAMPLES[0]], check=True, capture_output=True)
            times[kind].append(time.perf_counter() - start)
    started = ", ".join(f"{kind} {statistics.median(took):.2f} s" for kind, took in times.items())
    sys.stdout.write(
        f"{size_of(frozen)}; start to end with one image, median of {STARTS}: {started}\n"
    )


def lines(program: Path, files: list[Path], folder: Path) -> list[dict[str, Any]]:
    """Return what brain-infer --json prints, without times."""
    answers = map(json.loads, run(program, "--json", *files, folder=folder).splitlines())
    return [{key: answer[key] for key in answer if key != "timings_ms"} for answer in answers]


def main() -> None:
    """Build and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onefile", action="store_true", help="the first as one file")
    form = "--onefile" if parser.parse_args().onefile else "--onedir"
    with tempfile.TemporaryDirectory() as name:
        for kind in ("own", "example"):
            (Path(name) / kind).mkdir()
        own_program(Path(name) / "own", form)
        example(Path(name) / "example")


if __name__ == "__main__":
    main()
