"""What is in the wheels of a kit: nothing in them may run when they are installed, or when any Python starts.

    python .ci/supply/wheels.py FOLDER

pip runs no code of a wheel when it installs it (PEP 427); an sdist runs its own. So a kit holds wheels alone. Python
runs the lines of a ``.pth`` file that begin with ``import``, ``sitecustomize`` and ``usercustomize``, and from 3.15 on
what a ``.start`` file names, at each start (docs of ``site``). They are looked for in all folders of a wheel: those of
``NAME.data`` are installed elsewhere, and a ``.pth`` file can add any folder to the path. Exit status 1 if there is
anything of the kind, or a file that is no wheel.
"""

import argparse
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

__all__ = ["facts", "faults"]

#: Modules, of whatever ending, or packages.
_AT_START = {"sitecustomize", "usercustomize"}


def faults(path: Path) -> list[str]:
    """Return what runs by itself in a file, as sentences."""
    if path.suffix != ".whl":
        return [f"{path.name}: not a wheel; building it would run its code"]
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            inner = PurePosixPath(name.replace("\\", "/"))  # as Windows reads it
            if _runs_at_start(inner) or (
                inner.name.endswith(".pth") and _imports(archive.read(name))
            ):
                found.append(f"{path.name}: {name} runs at each start of Python")
            if inner.is_absolute() or ".." in inner.parts:
                found.append(f"{path.name}: {name} leaves the folder of packages")
    return found


def _runs_at_start(inner: PurePosixPath) -> bool:
    is_module = any(part.partition(".")[0] in _AT_START for part in inner.parts)
    return is_module or inner.name.endswith(".start")


def _imports(paths: bytes) -> bool:
    """Whether a line of a ``.pth`` file is run."""
    lines = paths.decode("utf-8-sig", errors="replace").splitlines()
    return any(line.lstrip().startswith(("import ", "import\t")) for line in lines)


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
