"""The lock: every package that an install of the edge can bring, with version and hashes, for all systems.

    python .ci/supply/lock.py            # resolve again and write .ci/supply/edge.lock
    python .ci/supply/lock.py --check    # does the lock still fit pyproject.toml? Exit status 1 if not

uv resolves for every system and Python at once; pip reads the file as requirements with hashes.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["EXTRAS", "LOCK", "compiled", "names"]

_TOP = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).with_name("edge.lock")

#: What runs on a workstation; the others train, export and measure.
EXTRAS = ("cpu", "dicom", "nifti", "node", "serve", "trust")

_HEAD = """\
# Written by .ci/supply/lock.py; do not edit. Every package that brain-edge[{extras}] can bring.
"""


def compiled(extras: tuple[str, ...], *options: str, python: str = "3.11") -> str:
    """Resolve the extras and return pip's requirements with hashes.

    Args:
        extras: Of pyproject.toml.
        options: More of uv's, such as ``--universal``.
        python: The oldest version of Python it is for.

    Raises:
        CalledProcessError: They cannot be resolved; what uv said is on stderr.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"]
    command += ["--python-version", python, *(f"--extra={extra}" for extra in extras), *options]
    done = subprocess.run(command, cwd=_TOP, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def names(text: str) -> list[str]:
    """Return the packages of a lock or of requirements, each once, in order."""
    return sorted(set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE)))


def main() -> None:
    """Do what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        kept = LOCK.read_text("utf-8")
        # Versions of the lock are preferred, so what is newer by now is no difference.
        again = compiled(EXTRAS, "--universal", "--constraint", str(LOCK))
        missing = set(names(again)) ^ set(names(kept))
        print(
            f"pyproject.toml and the lock differ in {', '.join(sorted(missing))}"
            if missing
            else "the lock fits"
        )
        raise SystemExit(1 if missing else 0)
    LOCK.write_text(
        _HEAD.format(extras=",".join(EXTRAS)) + compiled(EXTRAS, "--universal"), "utf-8"
    )
    print(f"{len(names(LOCK.read_text('utf-8')))} packages")


if __name__ == "__main__":
    main()
