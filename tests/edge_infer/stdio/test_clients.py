"""The examples of hosts run: the same answers from each language, and an end when their worker is gone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge_infer.contract import RESEARCH_USE_ONLY

ROOT = Path(__file__).parents[3]
CLIENTS = ROOT / "examples/stdio"

#: What each needs: programs, how it is built into a folder, and how it is started from there.
_NEEDS = {
    "node": ["node"],
    "cpp": ["g++"],
    "csharp": ["mcs", "mono"],
    "java": ["javac", "java"],
    "python": [],
}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the example in C++ is for POSIX")

Client = Callable[..., "subprocess.CompletedProcess[str]"]


def built(language: str, folder: Path) -> list[str]:
    """Words that start a client."""
    sources = CLIENTS / language
    if language == "node":
        return ["node", str(sources / "classify.mjs")]
    if language == "python":
        return [sys.executable, str(sources / "classify.py")]
    if language == "cpp":
        flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror"]
        make(["g++", *flags, sources / "classify.cpp", "-o", folder / "classify"])
        return [str(folder / "classify")]
    if language == "csharp":
        libraries = ["-r:System.Runtime.Serialization", "-r:System.Xml"]
        out = folder / "Classify.exe"
        make(["mcs", "-warnaserror", f"-out:{out}", *libraries, *sorted(sources.glob("*.cs"))])
        return ["mono", str(out)]
    make(["javac", "-Xlint:all", "-Werror", "-d", folder, *sorted(sources.glob("*.java"))])
    return ["java", "-cp", str(folder), "Classify"]


def make(words: Sequence[object]) -> None:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if "System.Runtime.Serialization' could not be found" in done.stderr + done.stdout:
        pytest.skip("needs the package libmono-system-runtime-serialization4.0-cil")
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.fixture(scope="module", params=list(_NEEDS))
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    missing = [name for name in _NEEDS[request.param] if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    words = built(request.param, tmp_path_factory.mktemp(request.param))

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*words, *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    return run


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    def write(script: str) -> Path:
        path = tmp_path / "worker"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        return path

    return write


def test_a_client_shows_answers_refusals_and_names_of_any_letters(
    client: Client, program: Callable[[str], Path], tmp_path: Path
) -> None:
    glioma, noise, cut = (
        tmp_path / 'Łódź 脳 😀 "a".jpg',
        tmp_path / "noise.png",
        tmp_path / "cut.jpg",
    )
    glioma.write_bytes((ROOT / "examples/brisc_glioma_axial.jpg").read_bytes())
    cut.write_bytes(glioma.read_bytes()[:300])
    shutil.copy(ROOT / "edge_infer/shipped/golden.png", noise)  # sixteen scans: no brain
    worker = program(f'exec "{sys.executable}" -m edge_infer --threads 1 "$@"')

    run = client(worker, glioma, noise, cut)

    found = run.stdout.splitlines()
    assert found[0].startswith(f"{glioma}: accept glioma 0.9"), run
    assert found[1].startswith(f"{noise}: abstain (")
    assert "), nearest " in found[1]
    assert found[2:] == [f"{cut}: error corrupt", RESEARCH_USE_ONLY]
    assert run.returncode == 100
    assert client(worker, glioma).returncode == 0


@pytest.mark.parametrize(
    "script",
    [
        "exit 3",
        f'exec "{sys.executable}" -m edge_infer --bundle nowhere "$@"',
        'echo \'{"event": "ready", "protocol": "brain-edge-stdio", "versions": [2, 3]}\'; cat > /dev/null',
        'echo \'{"event": "ready", "protocol": "brain-edge-stdio", "versions": [1]}\'; read line; kill -9 $$',
    ],
    ids=["no worker", "no bundle", "another version", "crash"],
)
def test_a_client_whose_worker_fails_says_so_and_ends(
    client: Client, program: Callable[[str], Path], script: str
) -> None:
    run = client(program(script), ROOT / "examples/brisc_glioma_axial.jpg")
    assert run.returncode not in (0, 100)
    assert run.stderr
    assert "accept" not in run.stdout
