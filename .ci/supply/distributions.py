"""Build wheel and sdist so that anybody who builds the same commit gets the same bytes.

    python .ci/supply/distributions.py --output dist            # both
    python .ci/supply/distributions.py --output dist --twice    # and once more from a copy elsewhere, and compare

What differs between two machines is fixed here: the date of the files in the archives is that of the commit
(SOURCE_DATE_EPOCH, reproducible-builds.org), and hatchling, the build backend, is of one version. Only files that git
knows are copied and built, so what lies about in a checkout does not get in.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["built", "copied", "digest"]

_TOP = Path(__file__).resolve().parents[2]

#: The backend that the project's hashes of a release hold for; ``build-system`` of pyproject.toml asks for a range.
HATCHLING = "hatchling==1.33.0"


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copied(target: Path, *, checkout: Path = _TOP) -> Path:
    """Copy the files that git knows, as they are, to a new folder."""
    names = _git("ls-files", "-z", checkout=checkout).split("\0")
    for name in filter(None, names):
        source = checkout / name
        if not source.exists():  # removed, and not committed yet
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source.read_bytes())
    return target


def built(
    source: Path, output: Path, *, only_wheel: bool = False, checkout: Path = _TOP
) -> list[Path]:
    """Build what ``source`` holds, offline but for the backend, and return wheel and sdist.

    Raises:
        CalledProcessError: The build failed; what it said is on stderr.
    """
    output.mkdir(parents=True, exist_ok=True)
    epoch = _git("log", "-1", "--format=%ct", checkout=checkout).strip()
    kinds = ["--wheel"] if only_wheel else ["--wheel", "--sdist"]
    with tempfile.TemporaryDirectory() as folder:
        constraint = Path(folder) / "backend.txt"
        constraint.write_text(f"{HATCHLING}\n", encoding="utf-8")
        subprocess.run(
            [
                sys.executable,
                "-m",
                "build",
                "--quiet",
                *kinds,
                "--outdir",
                str(output),
                str(source),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "SOURCE_DATE_EPOCH": epoch, "PIP_CONSTRAINT": str(constraint)},
        )
    return sorted([*output.glob("brain_edge-*.whl"), *output.glob("brain_edge-*.tar.gz")])


def compared(output: Path, *, only_wheel: bool = False) -> list[str]:
    """Build from a second copy, in another folder, with other modes and dates, and return what differs."""
    with tempfile.TemporaryDirectory() as folder:
        other = copied(Path(folder) / "somewhere" / "else")
        for path in other.rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                os.utime(path, (86400, 86400))
        again = built(other, Path(folder) / "again", only_wheel=only_wheel)
        return [path.name for path in again if digest(path) != digest(output / path.name)]


def _git(*arguments: str, checkout: Path) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=checkout, check=True, capture_output=True, text=True
    )
    return done.stdout


def main() -> None:
    """Do what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("dist"))
    parser.add_argument("--only-wheel", action="store_true")
    parser.add_argument("--twice", action="store_true", help="build from a second copy and compare")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = built(copied(Path(folder) / "copy"), options.output, only_wheel=options.only_wheel)
    for path in files:
        print(f"{digest(path)}  {path.name}")
    if options.twice:
        different = compared(options.output, only_wheel=options.only_wheel)
        print(
            f"built twice: {', '.join(different)} differ"
            if different
            else "built twice: the same bytes"
        )
        raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
