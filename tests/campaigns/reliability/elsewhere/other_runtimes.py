"""The runtimes beside Python: the examples in Node and C++, the page without a server, and an emulated processor."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromium
import onnxruntime
from one_file_models import write_one_file
from served_page import ask, served

from edge_infer.bundle import load_bundle, shipped_bundle_path

__all__ = ["RUNTIMES", "Runtime", "one_file", "raw_onnxruntime"]

_TOP = Path(__file__).parents[4]
_EXAMPLES = _TOP / "examples"
_WEB = _EXAMPLES / "browser" / "node_modules" / "onnxruntime-web"
_HEADERS = _EXAMPLES / "cpp" / "build" / "onnxruntime" / "include"
_LINES = """
import json, sys
from pathlib import Path
from edge_infer import Classifier
from edge_infer.answer_lines import AnswerLines
lines = AnswerLines(Classifier.load(num_threads=1))
for file in sys.argv[1:]:
    for line in lines.of_content(Path(file).read_bytes()):
        print(json.dumps(line))
"""

_Lines = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Somewhere else.

    Attributes:
        name: Of it.
        answers: ``answers(files, model)`` returns a line for each file; ``model`` is the one-file model.
        bound: How far a probability may lie from Python's.
        missing: What it needs that is not here, or None.
    """

    name: str
    answers: Callable[[Sequence[Path], Path], _Lines]
    bound: float
    missing: Callable[[], str | None]


def one_file(folder: Path, labels: tuple[str, ...] = ()) -> Path:
    """Write the shipped bundle as one file, with its own or other labels."""
    path = folder / "shipped.end-to-end.onnx"
    write_one_file(path, load_bundle(shipped_bundle_path()), labels)
    return path


def _node(files: Sequence[Path], model: Path) -> _Lines:
    return _said(["node", str(_EXAMPLES / "node" / "classify.mjs"), str(model), *map(str, files)])


def _cpp(files: Sequence[Path], model: Path) -> _Lines:
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    words = ["--runtime", str(library), "--model", str(model), *map(str, files)]
    return _said([str(_program()), *words])


@functools.cache
def _program() -> Path:
    """Build the example in C++, once in a process."""
    kept = tempfile.TemporaryDirectory(prefix="R25-cpp-", ignore_cleanup_errors=True)
    _KEPT.append(kept)
    settings = [f"-DONNXRUNTIME_INCLUDE={_HEADERS}", "-DCMAKE_BUILD_TYPE=Release"]
    source, built = str(_EXAMPLES / "cpp"), kept.name
    for words in (["-S", source, "-B", built, *settings], ["--build", built]):
        subprocess.run(["cmake", *words], check=True, capture_output=True)
    return Path(built) / "classify"


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _browser(files: Sequence[Path], model: Path) -> _Lines:
    del model  # it has the whole bundle
    from export.web.write import write_web

    with tempfile.TemporaryDirectory(prefix="R25-page-", ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "page"
        write_web(load_bundle(shipped_bundle_path()), page, _WEB)
        with served(page) as url, chromium.browser(Path(folder)) as tab:
            tab.open(url, width=1200)
            return ask(tab, {file.name: file.read_bytes() for file in files})


def _emulated(processor: str) -> Callable[[Sequence[Path], Path], _Lines]:
    def answers(files: Sequence[Path], model: Path) -> _Lines:
        del model
        words = ["qemu-x86_64", "-cpu", processor, sys.executable, "-c", _LINES, *map(str, files)]
        return _said(words)

    return answers


def _said(words: list[str]) -> _Lines:
    environment = {**os.environ, "PYTHONPATH": str(_TOP), "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def raw_onnxruntime(files: Sequence[Path], model: Path) -> _Lines:
    """Answer with the bundle's graph as a short script would: Pillow's ``convert`` and ``resize``, values up to 1."""
    import numpy as np
    from PIL import Image

    del model
    bundle = load_bundle(shipped_bundle_path())
    session = onnxruntime.InferenceSession(bundle.model_bytes)
    lines = []
    for file in files:
        (wanted,) = session.get_inputs()
        size = (wanted.shape[3], wanted.shape[2])
        values = np.asarray(Image.open(file).convert("RGB").resize(size), np.float32) / 255
        (logits,) = session.run(["logits"], {wanted.name: values.transpose(2, 0, 1)[None]})
        shares = np.exp(logits[0] - logits[0].max())
        probabilities = dict(zip(bundle.labels, (shares / shares.sum()).tolist(), strict=True))
        label = max(probabilities, key=lambda name: probabilities[name])
        lines.append({"label": label, "probabilities": probabilities})
    return lines


def _needs(*programs: str, folders: Sequence[Path] = ()) -> Callable[[], str | None]:
    def missing() -> str | None:
        absent = [name for name in programs if shutil.which(name) is None]
        absent += [folder.name for folder in folders if not folder.is_dir()]
        return f"no {', '.join(absent)}" if absent else None

    return missing


#: The bounds are those of the documents: docs/browser.md, docs/gate.md, and the tests of the examples.
RUNTIMES = {
    "node": Runtime(
        name="Node",
        answers=_node,
        bound=1e-3,
        missing=_needs("node", folders=[_EXAMPLES / "node" / "node_modules"]),
    ),
    "cpp": Runtime(
        name="C++", answers=_cpp, bound=1e-6, missing=_needs("cmake", "g++", folders=[_HEADERS])
    ),
    "browser": Runtime(
        name="Chromium", answers=_browser, bound=0.03, missing=_needs("chromium", folders=[_WEB])
    ),
    "nehalem": Runtime(
        name="Nehalem", answers=_emulated("Nehalem"), bound=0.05, missing=_needs("qemu-x86_64")
    ),
}
