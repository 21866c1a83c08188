"""A refusal leaves no file descriptor open; tests/campaigns/descriptors.py tests it through a classifier."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer.errors import BrainError
from edge_infer.image_file import read_image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts in /dev/fd")


def held() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: Path(path).touch(), None])
def test_five_thousand_refusals_hold_no_descriptor(
    tmp_path: Path, make: Callable[[Path], None] | None
) -> None:
    path = tmp_path / "scan.png"
    if make is not None:
        make(path)
    before = held()
    for _ in range(5000):
        with pytest.raises(BrainError):
            read_image(path)
    assert held() == before
