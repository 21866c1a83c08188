"""Importing the runtime is cheap and reaches neither training libraries nor a network stack."""

import subprocess
import sys

import pytest

HEAVY = {
    "cryptography",
    "http.client",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pandas",
    "requests",
    "scipy",
    "sklearn",
    "torch",
    "torchvision",
    "transformers",
    "urllib.request",
    "urllib3",
}


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(finished.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import edge_infer",
        "import edge_infer.cli, edge_infer.doctor_cli, edge_infer.doctor",
        "from edge_infer import *",
        "import edge_infer.classifier, edge_infer.report, edge_infer.heatmap_files",
    ],
)
def test_the_runtime_imports_nothing_heavy(code: str) -> None:
    assert loaded_by(code) & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    [
        "edge_infer",
        "edge_infer.audit.log",
        "edge_infer.cli",
        "edge_infer.compare_cli",
        "edge_infer.doctor_cli",
        "edge_infer.errors",
        "export.refit_cli",
    ],
)
def test_help_and_errors_need_neither_numpy_nor_pillow(module: str) -> None:
    assert loaded_by(f"import {module}") & {"numpy", "PIL"} == set()


def test_the_check_sees_a_heavy_import() -> None:
    assert "http.client" in loaded_by("import http.client") & HEAVY
