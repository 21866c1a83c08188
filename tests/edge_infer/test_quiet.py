"""In a host program nothing is written to standard output or error, not even by native code."""

import io
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper
from tiny_bundle import SIZE, scan, tiny_model

from edge_infer.errors import BrainError, BundleIncompatible, InferenceFailed
from edge_infer.image_file import read_image
from edge_infer.session import open_session


@contextmanager
def written() -> Iterator[Callable[[], bytes]]:
    """Collect what reaches file descriptors 1 and 2, from Python and from C."""
    saved = {number: os.dup(number) for number in (1, 2)}
    with tempfile.TemporaryFile() as file:

        def so_far() -> bytes:
            file.seek(0)
            return file.read()

        for number in saved:
            os.dup2(file.fileno(), number)
        try:
            yield so_far
        finally:
            for number, descriptor in saved.items():
                os.dup2(descriptor, number)
                os.close(descriptor)


def damaged_tiffs(compression: str, mode: str) -> Iterator[bytes]:
    encoded = io.BytesIO()
    scan().convert(mode).save(encoded, "TIFF", compression=compression)
    whole, rng = encoded.getvalue(), random.Random(compression)  # noqa: S311 -- places, no secrets
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(8, len(data))] ^= 1 << rng.randrange(8)
        yield bytes(data[: rng.choice([len(data), rng.randrange(8, len(data))])])


@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"]
)
def test_damaged_tiffs_are_refused_in_silence(compression: str) -> None:
    refused = 0
    with written() as so_far:
        for data in damaged_tiffs(compression, "1" if compression == "group4" else "L"):
            try:
                read_image(data)
            except BrainError:
                refused += 1
        assert so_far() == b""
    assert refused > 10


OPENING = {
    "Pillow": "from PIL import Image\ndef read(path): Image.open(path).load()",
    "edge_infer": "from edge_infer import read_image as read",
}
READ_ALL = """
import sys
from pathlib import Path
for path in Path(sys.argv[1]).iterdir():
    try:
        read(path)
    except Exception:
        pass
"""


@pytest.mark.parametrize(("reader", "is_loud"), [("Pillow", True), ("edge_infer", False)])
def test_a_host_with_pythons_own_warning_filters_hears_nothing_either(
    tmp_path: Path, reader: str, *, is_loud: bool
) -> None:
    for number, data in enumerate(damaged_tiffs("jpeg", "L")):
        (tmp_path / f"{number}.tif").write_bytes(data)
    command = [sys.executable, "-c", OPENING[reader] + READ_ALL, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert ("UserWarning" in said) == is_loud
    assert ("JPEG" in said) == is_loud
    assert bool(said) == is_loud


def with_unknown_operator(model: ModelProto) -> None:
    model.graph.node[0].op_type = "NoSuchOperator"


@pytest.mark.parametrize("timeout_s", [None, 60.0])
def test_a_graph_that_fails_says_so_by_its_error_alone(timeout_s: float | None) -> None:
    model = tiny_model()
    shape = numpy_helper.from_array(np.array([7, 13]), "shape")
    model.graph.initializer.append(shape)
    model.graph.node[3].CopyFrom(helper.make_node("Reshape", ["pooled", "shape"], ["embeddings"]))
    pixels = np.zeros((1, 3, SIZE, SIZE), np.float32)
    with written() as so_far:
        session = open_session(model.SerializeToString())
        with pytest.raises(InferenceFailed, match="Reshape"):
            session.run(pixels, timeout_s=timeout_s)
        with_unknown_operator(model)
        with pytest.raises(BundleIncompatible, match="NoSuchOperator"):
            open_session(model.SerializeToString())
        assert so_far() == b""
