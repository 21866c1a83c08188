"""Install brain-edge from this folder, without a network; for Python 3.11 or newer, on any system.

    python3 install.py                     # into ./brain-edge
    python3 install.py --into FOLDER       # into another new folder

Every file is compared with SHA256SUMS first, and pip compares every wheel with requirements.txt again. Who wants to
know that the sums themselves are those of the maker compares SHA256SUMS' own sum, or its signature, with what came by
another way. Research use only. Not a medical device. Not for diagnosis.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def wrong_files() -> list[str]:
    """Return what is not as SHA256SUMS says, as sentences."""
    listed = {}
    for line in (HERE / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    there = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*") if path.is_file()} - {
        "SHA256SUMS"
    }
    found = [f"{name}: missing" for name in sorted(listed.keys() - there)]
    found += [f"{name}: does not belong here" for name in sorted(there - listed.keys())]
    for name in sorted(listed.keys() & there):
        if hashlib.sha256((HERE / name).read_bytes()).hexdigest() != listed[name]:
            found.append(f"{name}: is not the file that was packed")
    return found


def main() -> int:
    """Check, install, and ask the installed package whether it works; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--into", type=Path, default=Path("brain-edge"), help="new folder (default: brain-edge)"
    )
    target = parser.parse_args().into.resolve()
    if sys.version_info < (3, 11):  # noqa: UP036 -- whoever starts this has whatever Python is there
        print(f"Python {sys.version.split()[0]} found, 3.11 or newer needed", file=sys.stderr)
        return 2
    wrong = wrong_files()
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        print("nothing was installed: copy the kit again", file=sys.stderr)
        return 31
    if target.exists():
        print(
            f"{target.name} exists already: name a new folder with --into, or remove it",
            file=sys.stderr,
        )
        return 40
    venv.create(target, with_pip=True)
    programs = target / ("Scripts" if os.name == "nt" else "bin")
    pip = [
        str(programs / "python"),
        "-m",
        "pip",
        "--isolated",
        "--disable-pip-version-check",
        "install",
    ]
    installed = subprocess.run(
        [
            *pip,
            "--quiet",
            "--no-index",
            "--only-binary=:all:",
            "--require-hashes",
            f"--find-links={HERE / 'wheels'}",
            f"--requirement={HERE / 'requirements.txt'}",
        ],
        check=False,
    )
    if installed.returncode:
        shutil.rmtree(target)
        print("pip refused what is in this folder: copy the kit again", file=sys.stderr)
        return 31
    print(f"installed into {target.name}; now it is asked for its known answers", flush=True)
    return subprocess.run([str(programs / "brain-doctor")], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
