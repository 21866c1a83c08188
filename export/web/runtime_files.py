"""The files of onnxruntime-web that the page needs, taken from an npm package on this machine: nothing is fetched."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.errors import MissingDependency
from edge_infer.names import shown_name

__all__ = ["TESTED_VERSION", "RuntimeFiles", "read_runtime_files"]

#: The version whose answers were compared with the runtime's (docs/browser.md).
TESTED_VERSION = "1.30.0"

# In the folder they end in .js, which every web server knows to be JavaScript; some do not know .mjs.
_FILES = {
    "ort.wasm.min.mjs": "ort.js",
    "ort-wasm-simd-threaded.mjs": "ort-wasm.js",
    "ort-wasm-simd-threaded.wasm": "ort-wasm.wasm",
}
# The package states its licence, but holds no file of it.
_LICENCE = """onnxruntime-web {version}, https://github.com/microsoft/onnxruntime

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFiles:
    """What is copied.

    Attributes:
        version: Of onnxruntime-web.
        files: Content by name in the folder.
    """

    version: str
    files: dict[str, bytes]


def read_runtime_files(package: Path) -> RuntimeFiles:
    """Read the files from a package that npm installed.

    Args:
        package: ``node_modules/onnxruntime-web``, or its folder ``dist``.

    Raises:
        MissingDependency: It is not that package, or lacks a file.
    """
    root = package.parent if package.name == "dist" else package
    described = _description(root)
    if described.get("name") != "onnxruntime-web":
        raise _missing(package, "is not the npm package onnxruntime-web")
    version = str(described.get("version"))
    files = {"LICENSE.txt": _LICENCE.format(version=version).encode()}
    for name, new_name in _FILES.items():
        try:
            files[new_name] = (root / "dist" / name).read_bytes()
        except OSError as error:
            raise _missing(package, f"lacks dist/{name}") from error
    return RuntimeFiles(version=version, files=files)


def _description(root: Path) -> dict[str, Any]:
    try:
        described = json.loads((root / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return described if isinstance(described, dict) else {}


def _missing(package: Path, what: str) -> MissingDependency:
    return MissingDependency(
        f"--onnxruntime-web {shown_name(package)}: {what}",
        hint=f"npm install onnxruntime-web@{TESTED_VERSION}, then give node_modules/onnxruntime-web "
        "(examples/browser has it pinned)",
    )
