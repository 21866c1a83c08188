"""Images and their preprocessing travel together, and are scaled as the runtime scales them."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from export.model_inputs import ModelInputs

# Not square, and normalised, so that nothing is right by chance.
CONFIG = PreprocessorConfig(
    height=16, width=24, image_mean=(0.5, 0.4, 0.3), image_std=(0.2, 0.3, 0.4)
)


@pytest.fixture
def grey() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (7, 16, 24), dtype=np.uint8)


def test_pixel_values_are_those_of_the_runtime(grey: NDArray[np.uint8]) -> None:
    values = ModelInputs(grey, CONFIG).pixel_values()
    assert (values.dtype, values.shape) == (np.float32, (7, 3, 16, 24))
    np.testing.assert_array_equal(values, to_pixel_values(grey, CONFIG))


def test_batches_give_each_image_once_in_their_order(grey: NDArray[np.uint8]) -> None:
    batches = list(ModelInputs(grey, CONFIG).batches(3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(batches), to_pixel_values(grey, CONFIG))


def test_rows_are_taken_by_slice_without_a_copy_and_by_number(grey: NDArray[np.uint8]) -> None:
    inputs = ModelInputs(grey, CONFIG)
    part = inputs[1:6:2]
    assert (len(part), part.preprocessor) == (3, CONFIG)
    assert np.shares_memory(part.grey, grey)
    np.testing.assert_array_equal(part.grey, grey[[1, 3, 5]])
    np.testing.assert_array_equal(inputs[np.array([5, 0, 0])].grey, grey[[5, 0, 0]])
    assert len(inputs[:0]) == 0
    assert list(inputs[:0].batches(4)) == []


def test_images_of_another_type_or_size_are_refused(grey: NDArray[np.uint8]) -> None:
    for wrong in (grey.astype(np.float32), grey[0], grey.transpose(0, 2, 1), grey[:, None]):
        with pytest.raises(ValueError, match=r"expected uint8 \(N, 16, 24\)"):
            ModelInputs(wrong, CONFIG)  # type: ignore[arg-type, unused-ignore]


def test_no_other_file_of_export_calls_to_pixel_values() -> None:
    root = Path(__file__).parents[2] / "export"
    scaling = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\bto_pixel_values\b(?!`)", path.read_text(encoding="utf-8"))
    ]
    assert scaling == ["model_inputs.py"]
