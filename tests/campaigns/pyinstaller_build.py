"""Freeze a program that uses edge_infer with PyInstaller, in a temporary venv, and run it.

    python tests/campaigns/pyinstaller_build.py [--onefile]

Needs the network for pip. Exits with the status of the first command that failed.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]

APP = """
import sys
from edge_infer import Classifier
from edge_infer.runtime import versions
prediction = Classifier.load(self_test="full").predict(sys.argv[1])
print(prediction.label, f"{prediction.score:.3f}", versions())
"""


def run(*command: str | Path, folder: Path) -> str:
    """Run a command, show it, and return what it prints."""
    sys.stdout.write(f"$ {' '.join(Path(str(word)).name for word in command)}\n")
    finished = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        sys.stdout.write(finished.stdout[-3000:] + finished.stderr[-3000:])
        sys.exit(finished.returncode)
    return finished.stdout


def main() -> None:
    """Build and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onefile", action="store_true", help="one file instead of a folder")
    form = "--onefile" if parser.parse_args().onefile else "--onedir"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        binaries = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        run(binaries / "pip", "install", "--quiet", f"{ROOT}[cpu]", "pyinstaller", folder=folder)
        (folder / "app.py").write_text(APP)
        run(binaries / "pyinstaller", form, "--log-level", "WARN", "app.py", folder=folder)
        program = folder / "dist" / ("app" if form == "--onefile" else "app/app")
        scan = ROOT / "examples" / "brisc_glioma_axial.jpg"
        # Nothing of Python or of the venv is left in its environment.
        sys.stdout.write(run(program, scan, folder=folder / "dist"))
        size = sum(path.lstat().st_size for path in (folder / "dist").rglob("*") if path.is_file())
        sys.stdout.write(f"{form}: {size / 2**20:.0f} MiB\n")


if __name__ == "__main__":
    main()
