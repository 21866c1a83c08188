"""Install each engine beside the runtime alone, in an environment of its own, and say what it adds.

    python tests/campaigns/scale/environments.py FOLDER [--engine ray_data ...] [--result docs/scale/environments.json]

FOLDER is for the environments, outside of the checkout; what is there already is kept. Sizes are the bytes of files,
without what pip compiled.
"""

import argparse
import json
import subprocess
import sys
import time
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from scale.records import write_json
from tqdm import tqdm

RUNTIME = ("numpy>=2.0", "pillow>=13", "click>=8.1", "onnxruntime>=1.28")
#: What each engine needs besides; Parquet is asked of all of them.
ENGINES: dict[str, tuple[str, ...]] = {
    "none": (),
    "parquet": ("pyarrow>=17",),
    "dask": ("pyarrow>=17", "dask", "distributed", "cryptography>=44"),
    "ray_core": ("pyarrow>=17", "ray"),
    "ray_data": ("pyarrow>=17", "ray[data]"),
}
#: Asked of an environment about its packages: name, version, licence.
_LIST = """
import importlib.metadata as m, json
def licence(d):
    said = d.metadata.get("License-Expression") or d.metadata.get("License") or ""
    named = [c.split(" :: ")[-1] for c in d.metadata.get_all("Classifier") or () if c.startswith("License ::")]
    return said if said and len(said) < 60 else ", ".join(named)
print(json.dumps(sorted([d.metadata["Name"], d.version, licence(d)] for d in m.distributions())))
"""


def main() -> None:
    """Install what is missing, measure, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--result", type=Path)
    given = parser.parse_args()
    found = {}
    for engine in tqdm(given.engine or list(ENGINES), unit="environment"):
        python = given.folder / engine / "bin" / "python"
        seconds = None
        if not (given.folder / engine / ".installed").exists():
            seconds = install(given.folder / engine, ENGINES[engine])
        found[engine] = facts(python) | {"install_s": seconds}
    result = {"date": datetime.now(UTC).date().isoformat(), "environments": found}
    print(json.dumps(added(found), indent=1))
    if given.result:
        write_json(given.result, result | {"added": added(found)})


def install(folder: Path, packages: tuple[str, ...]) -> float:
    """Make an environment and install the runtime and these into it, in seconds."""
    started = time.monotonic()
    venv.create(folder, with_pip=True, clear=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile"]
    subprocess.run([*map(str, pip), "--disable-pip-version-check", *RUNTIME, *packages], check=True)
    (folder / ".installed").touch()
    return time.monotonic() - started


def facts(python: Path) -> dict[str, Any]:
    """Return the packages of an environment and the bytes of its site-packages."""
    listed = subprocess.run([python, "-c", _LIST], check=True, capture_output=True, text=True)
    packages = [row for row in json.loads(listed.stdout) if row[0] not in ("pip", "setuptools")]
    (site,) = (python.parents[1] / "lib").glob("python*/site-packages")
    own = {"pip", "setuptools", "pkg_resources", "_distutils_hack", "__pycache__"}
    size = sum(
        path.lstat().st_size
        for top in site.iterdir()
        if top.name.split("-")[0] not in own
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    )
    return {"bytes": size, "packages": packages}


def added(found: dict[str, Any]) -> dict[str, Any]:
    """Return what each environment has beyond the runtime alone, and beyond Parquet."""
    base = found.get("none")
    if base is None:
        return {}
    names = {row[0] for row in base["packages"]}
    return {
        engine: {
            "bytes": facts["bytes"] - base["bytes"],
            "packages": [row for row in facts["packages"] if row[0] not in names],
        }
        for engine, facts in found.items()
    }


if __name__ == "__main__":
    main()
