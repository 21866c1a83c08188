"""The service's packages are imported by nobody who does not serve."""

import subprocess
import sys

import pytest

PACKAGES = {"starlette", "uvicorn", "h11", "anyio"}


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(finished.stdout.split())


@pytest.mark.parametrize(
    "code", ["import edge_infer, edge_infer.answer_lines", "import edge_infer.serve_cli"]
)
def test_what_does_not_serve_does_not_import_them(code: str) -> None:
    assert loaded_by(code) & PACKAGES == set()


def test_help_needs_neither_numpy_nor_pillow() -> None:
    assert loaded_by("import edge_infer.serve_cli") & {"numpy", "PIL", "onnxruntime"} == set()


def test_the_check_sees_an_import() -> None:
    assert "uvicorn" in loaded_by("import edge_infer.service.server") & PACKAGES
