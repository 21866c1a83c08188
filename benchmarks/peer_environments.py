"""The peers' environments: built by pip from a pinned lock, apart from ours. A peer may be missing."""

import subprocess
import sys
import venv
from pathlib import Path

from edge_infer.errors import InferenceFailed, MissingDependency

__all__ = ["PEERS", "environment_python", "install_peer", "peer_python", "site_packages_bytes"]

_LOCKS = Path(__file__).parent / "peers"

#: Names of the environments; each has a lock.
PEERS = tuple(sorted(path.stem for path in _LOCKS.glob("*.txt")))

# Files of pip itself, which do not count as size of a peer.
_PIPS_OWN = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence.pth")


def peer_python(name: str, peers: Path) -> Path:
    """Return the interpreter of a peer.

    Raises:
        MissingDependency: It is not installed.
    """
    python = environment_python(peers / name)
    if not python.exists():
        raise MissingDependency(
            f"peer {name} is not installed in {peers.name}/",
            hint=f"brain-bench peers install {name}",
        )
    return python.absolute()


def install_peer(name: str, peers: Path) -> Path:
    """Build a peer's environment from its lock; an existing environment is updated to the lock.

    Raises:
        InferenceFailed: pip failed.
    """
    folder = peers / name
    if not (folder / "pyvenv.cfg").is_file():
        venv.create(folder, with_pip=True)
    python = peer_python(name, peers)
    lock = _LOCKS / f"{name}.txt"
    done = subprocess.run(  # noqa: S603 -- pip of the environment just made
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(lock)],
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode != 0:
        raise InferenceFailed(
            f"peer {name}: pip ended with status {done.returncode}",
            hint="its messages are above; the peer will be reported as missing",
        )
    return folder


def environment_python(environment: Path) -> Path:
    """Return the path of an environment's interpreter."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def site_packages_bytes(environment: Path) -> int:
    """Return the size of what is installed in an environment, without pip and compiled bytecode."""
    total = 0
    for packages in environment.glob("lib*/python*/site-packages"):
        if packages.parent.parent.is_symlink():
            continue  # lib64 is a link to lib
        for path in packages.rglob("*"):
            top = path.relative_to(packages).parts[0]
            is_pips = top.startswith(tuple(f"{name}-" for name in _PIPS_OWN)) or top in _PIPS_OWN
            if path.is_file() and not is_pips and "__pycache__" not in path.parts:
                total += path.stat().st_size
    return total
