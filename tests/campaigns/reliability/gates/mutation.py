"""R27: do the tests notice when the code that checks is wrong?

A trial changes one thing in a module that decides, verifies or writes, and runs that module's tests in a forked child.
If they pass, the mutant survived. Some mutants change nothing that anybody could notice, so the promise is a share.
"""

import importlib
import os
import signal
import sys
import time
from pathlib import Path

from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.gates.mutants import Mutant, all_mutants, install

__all__ = ["CAMPAIGN"]

_TOP = Path(__file__).resolve().parents[4]

#: What the tests import anyway, loaded once before forking. Nothing of the project, which is to be changed.
_PRELOADED = (
    *("pytest", "numpy", "PIL.Image", "onnx", "onnx.helper", "onnxruntime"),
    *("onnxruntime.quantization", "onnxscript", "sklearn.metrics", "torch"),
)

#: A mutant can loop for ever; the slowest of these tests takes a tenth of it.
_LIMIT_S = 240.0


def _preload(folder: Path) -> None:
    del folder
    os.environ.update(ORT_DISABLE_TELEMETRY="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    os.chdir(_TOP)
    for name in _PRELOADED:
        importlib.import_module(name)
    all_mutants()


def _tested(mutant: Mutant, tests: list[str], folder: Path) -> str:
    """Return ``killed``, ``killed, ran too long`` or ``survived``."""
    source = mutant.source()
    if source is None:
        raise ValueError(f"no such mutant: {mutant}")
    child = os.fork()
    if child == 0:
        _run_tests(mutant, source, tests, folder)
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed, ran too long"


def _run_tests(mutant: Mutant, source: str, tests: list[str], folder: Path) -> None:
    """Run in the child, and end it."""
    code = 1
    try:
        with (folder / "output").open("w", encoding="utf-8") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        install(mutant, source)
        pytest = sys.modules["pytest"]
        options = [
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            f"--basetemp={folder / 'temp'}",
        ]
        code = int(pytest.main([*options, *tests]))
    finally:
        os._exit(code)


def _mutant_against_tests(_: None, number: int, folder: Path) -> Seen:
    mutants = all_mutants()
    mutant = mutants[number % len(mutants)]
    kind = _tested(mutant, list(mutant.tests), folder)
    if kind == "survived":
        print(f"survived: {mutant}", file=sys.stderr)
    return Seen(kind=kind)


def _mutant_against_nothing(_: None, number: int, folder: Path) -> str:
    mutants = all_mutants()
    mutant = mutants[number % len(mutants)]
    empty = folder / "test_nothing.py"
    empty.write_text(f"def test_it_imports():\n    import {mutant.module}\n", "utf-8")
    kind = _tested(mutant, [str(empty)], folder)
    if kind == "survived":
        raise Broken(f"survived: {mutant.module}, {mutant.operator}")
    return kind


CAMPAIGN = Campaign(
    id="R27",
    title="Mutation testing",
    promise="At least nine of ten small changes to the code that decides, verifies and writes make a test fail.",
    attack="changes one thing in one of 12 such modules, as cosmic-ray draws it, and runs the tests of that module",
    unit="mutants",
    subjects={
        "ours": Subject(
            trial=_mutant_against_tests, prepare=_preload, what="the tests of the module"
        ),
        "control": Subject(
            trial=_mutant_against_nothing,
            prepare=_preload,
            what="a test that only imports the module",
        ),
    },
    ci={"ours": 1, "control": 1},
    full={"ours": 600, "control": 50},
    limit_s=_LIMIT_S + 10,
    chunk=5,
    control_share=0.5,
    least={"killed": 0.9},
)
