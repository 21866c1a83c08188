"""The size of a bare installation, as in a hospital: this project with ``.[cpu]`` in its own environment."""

import hashlib
import json
import subprocess
import tempfile
import venv
from pathlib import Path

from benchmarks.peer_environments import environment_python, site_packages_bytes
from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import InferenceFailed

__all__ = ["bare_install_bytes"]

_ROOT = Path(__file__).resolve().parents[1]
#: Folders with weights: the shipped bundle and checkpoints.
_WEIGHTS = ("edge_infer/shipped", "export/checkpoints")


def bare_install_bytes(folder: Path) -> dict[str, int]:
    """Return installed bytes, ``total`` and ``without_weights``; cached until pyproject.toml changes.

    Args:
        folder: Where the figure is cached.

    Raises:
        InferenceFailed: It cannot be installed here.
    """
    project = (_ROOT / "pyproject.toml").read_bytes()
    kept = folder / f"install-{hashlib.sha256(project).hexdigest()[:16]}.json"
    if kept.is_file():
        found: dict[str, int] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    with tempfile.TemporaryDirectory() as parent:
        environment = Path(parent) / "venv"
        venv.create(environment, with_pip=True)
        python = environment_python(environment)
        done = subprocess.run(  # noqa: S603 -- pip of the new environment
            [str(python), "-m", "pip", "install", "--quiet", f"{_ROOT}[cpu]"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise InferenceFailed(f"the bare install failed: {last}")
        total = site_packages_bytes(environment)
        weights = sum(
            path.stat().st_size
            for name in _WEIGHTS
            for path in environment.glob(f"lib/python*/site-packages/{name}/**/*")
            if path.is_file()
        )
    found = {"total": total, "without_weights": total - weights}
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(kept, json.dumps(found).encode())
    return found
