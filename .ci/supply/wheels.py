"""What is in the wheels of a kit: nothing in them may run when they are installed, or when any Python starts.

    python .ci/supply/wheels.py FOLDER

pip runs no code of a wheel when it installs it (PEP 427); an sdist runs its own. So a kit holds wheels alone. Python
runs the lines of a ``.pth`` file that begin with ``import``, and ``sitecustomize``, at each start (docs of ``site``).
Exit status 1 if there is anything of the kind, or a file that is no wheel.
"""

import argparse
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

__all__ = ["facts", "faults"]

_AT_START = {"sitecustomize.py", "usercustomize.py"}


def faults(path: Path) -> list[str]:
    """Return what runs by itself in a file, as sentences."""
    if path.suffix != ".whl":
        return [f"{path.name}: not a wheel; building it would run its code"]
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            inner = PurePosixPath(name)
            if inner.suffix == ".pth":
                lines = archive.read(name).decode(errors="replace").splitlines()
                if any(line.startswith(("import ", "import\t")) for line in lines):
                    found.append(f"{path.name}: {name} runs at each start of Python")
            if inner.name in _AT_START and len(inner.parts) == 1:
                found.append(f"{path.name}: {name} runs at each start of Python")
            if inner.is_absolute() or ".." in inner.parts:
                found.append(f"{path.name}: {name} leaves the folder of packages")
    return found


def facts(path: Path) -> dict[str, str]:
    """Return name, version, licence and home page that a wheel states of itself; empty where it does not."""
    with zipfile.ZipFile(path) as archive:
        (inside,) = [
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        ]
        stated = HeaderParser().parsestr(archive.read(inside).decode())
    named = [
        line.rpartition("::")[2].strip()
        for line in stated.get_all("Classifier", [])
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    pages = dict(line.split(", ", 1) for line in stated.get_all("Project-URL", []) if ", " in line)
    return {
        "name": stated["Name"],
        "version": stated["Version"],
        "licence": stated.get("License-Expression")
        or ", ".join(named)
        or _first_line(stated.get("License")),
        "home": stated.get("Home-page") or next(iter(pages.values()), ""),
    }


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def main() -> None:
    """Do what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    files = sorted(path for path in folder.iterdir() if path.is_file())
    found = [fault for path in files for fault in faults(path)]
    print("\n".join(found) or f"{len(files)} wheels: nothing in them runs by itself")
    raise SystemExit(1 if found or not files else 0)


if __name__ == "__main__":
    main()
