"""The example in C++, compiled once, and the shipped bundle as a one-file model."""

import shutil
import subprocess
from pathlib import Path

import onnxruntime
import pytest
from one_file_models import write_one_file

from edge_infer.bundle import Bundle, load_bundle, shipped_bundle_path

EXAMPLE = Path(__file__).parents[3] / "examples" / "cpp"
NEEDED = ("nlohmann/json.hpp", "spng.h", "turbojpeg.h")
HEADERS = EXAMPLE / "build" / "onnxruntime" / "include"


@pytest.fixture(scope="session")
def headers() -> Path:
    """The folder of onnxruntime's headers."""
    if not HEADERS.is_dir():
        pytest.skip("no headers of onnxruntime: sh examples/cpp/get-headers.sh")
    return HEADERS


@pytest.fixture(scope="session")
def program(headers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """classify; a warning of the compiler is an error."""
    absent = [name for name in ("cmake", "g++") if shutil.which(name) is None]
    absent += [name for name in NEEDED if not (Path("/usr/include") / name).is_file()]
    if absent:
        pytest.skip(f"no {', '.join(absent)}: see examples/cpp/README.md")
    folder = tmp_path_factory.mktemp("cpp")
    settings = [f"-DONNXRUNTIME_INCLUDE={headers}", "-DCMAKE_BUILD_TYPE=Debug"]
    settings += ["-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"]
    for command in (["-S", EXAMPLE, "-B", folder, *settings], ["--build", folder]):
        done = subprocess.run(
            ["cmake", *command], capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "classify"


@pytest.fixture(scope="session")
def library() -> Path:
    """onnxruntime's library inside Python's package."""
    found = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not found:
        pytest.skip("this onnxruntime has no library of its own")
    return found[0]


@pytest.fixture(scope="session")
def shipped() -> Bundle:
    return load_bundle(shipped_bundle_path())


@pytest.fixture(scope="session")
def model(shipped: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle as one file."""
    path = tmp_path_factory.mktemp("model") / "shipped.end-to-end.onnx"
    write_one_file(path, shipped)
    return path
