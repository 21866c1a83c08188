import re

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import scan

from edge_infer.arrays import plain_pixels
from edge_infer.image_file import open_source, read_image

GREY = np.asarray(scan())  # (48, 64), uint8, holds 0 and 255
DEEP = GREY.astype(np.uint16) * 16  # 12 bits in 16
COLOUR = np.stack([GREY, GREY, GREY], axis=2)


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


TWINS = {
    "one channel": GREY[:, :, None],
    "deep with one channel": DEEP[:, :, None],
    "big-endian": DEEP.astype(">u2"),
    "little-endian": DEEP.astype("<u2"),
    "every second of twice": np.repeat(np.repeat(GREY, 2, axis=0), 2, axis=1)[::2, ::2],
    "columns first": np.asfortranarray(GREY),
    "turned twice": GREY[::-1, ::-1].copy()[::-1, ::-1],
    "deep turned twice": DEEP[::-1].copy()[::-1],
    "colour turned twice": COLOUR[::-1, ::-1].copy()[::-1, ::-1],
    "channels moved to the end": np.moveaxis(np.stack([GREY] * 3), 0, -1),
    "opaque": np.dstack([COLOUR, np.full_like(GREY, 255)]),
    "read-only": read_only(GREY),
    "deep read-only": read_only(DEEP),
}


@pytest.mark.parametrize("array", TWINS.values(), ids=TWINS.keys())
def test_the_same_pixels_stored_otherwise_are_the_same_image(array: np.ndarray) -> None:
    before = array.copy()
    assert np.array_equal(np.asarray(read_image(array)), GREY)
    assert np.array_equal(array, before)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # numpy's, of its own class
def test_a_matrix_is_a_plain_array() -> None:
    assert type(plain_pixels(np.matrix(GREY))) is np.ndarray
    assert np.array_equal(np.asarray(read_image(np.matrix(GREY))), GREY)


def test_the_digest_is_of_the_pixels_and_not_of_how_they_are_stored() -> None:
    assert open_source(GREY[:, :, None]).sha256 == open_source(GREY).sha256
    assert open_source(DEEP.astype(">u2")).sha256 == open_source(DEEP).sha256
    assert open_source(GREY[::-1]).sha256 != open_source(GREY).sha256


def test_deep_arrays_are_scaled_by_their_largest_value() -> None:
    ramp = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    expected = np.rint(ramp * (255 / ramp.max()))
    assert np.array_equal(np.asarray(read_image(ramp)), expected)


REFUSED = {
    "bool": (GREY > 99, "a mask is not a scan"),
    "int8": (GREY.astype(np.int8), "choose low and high"),
    "int16": (GREY.astype(np.int16), "choose low and high"),
    "big-endian int16": (GREY.astype(">i2"), "choose low and high"),
    "int16 colour": (COLOUR.astype(np.int16), "choose low and high"),
    "int32": (GREY.astype(np.int32), "choose low and high"),
    "int64": (GREY.astype(np.int64), "choose low and high"),
    "uint32": (GREY.astype(np.uint32), "choose low and high"),
    "float16": (GREY.astype(np.float16), "choose low and high"),
    "float32": (GREY / np.float32(255), "choose low and high"),
    "float64": (GREY / 255, "choose low and high"),
    "complex": (GREY.astype(np.complex64), ""),
    "object": (GREY.astype(object), ""),
    "text": (GREY.astype(str), ""),
    "fields": (np.zeros((48, 64), [("a", np.uint8), ("b", np.uint8)]), ""),
    "colour of 16 bits": (COLOUR.astype(np.uint16), "uint8 only"),
    "two channels": (COLOUR[:, :, :2], ""),
    "channels first": (np.stack([GREY] * 3), "numpy.moveaxis(array, 0, -1)"),
    "channels first with opacity": (np.stack([GREY] * 4), "numpy.moveaxis(array, 0, -1)"),
    "one channel first": (GREY[None], "array[0]"),
    "deep, one channel first": (DEEP[None], "array[0]"),
    "a volume": (np.stack([DEEP] * 20), "one slice"),
    "a batch": (COLOUR[None], "one slice"),
    "a row": (GREY[0], ""),
    "a number": (np.array(3, np.uint8), ""),
}


@pytest.mark.parametrize(("array", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_state_its_range_or_layout_is_refused_with_what_to_do(
    array: np.ndarray, hint: str
) -> None:
    found = re.escape(f"array is {array.dtype} {array.shape}, expected uint8 (H, W), ")
    with pytest.raises(ValueError, match=f"{found}.*{re.escape(hint)}"):
        read_image(array)


def test_masked_arrays_are_refused_even_if_nothing_is_masked() -> None:
    for mask in (False, GREY > 99):
        with pytest.raises(ValueError, match=r"array.filled\(0\)"):
            read_image(np.ma.masked_array(GREY, mask=mask))


@pytest.mark.parametrize("shape", [(0, 64), (48, 0), (48, 0, 3), (0, 64, 1)])
def test_an_array_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="empty"):
        read_image(np.zeros(shape, np.uint8))


def test_the_line_in_the_message_makes_the_image_it_promises() -> None:
    array = GREY.astype(np.int16) * 8 - 1024
    with pytest.raises(ValueError, match="numpy") as caught:
        read_image(array)
    line = str(caught.value).partition("low and high, then ")[2]
    names = {"numpy": np, "array": array, "low": -1024, "high": 255 * 8 - 1024}
    windowed = eval(line, names)  # noqa: S307 -- our own message
    assert np.array_equal(np.asarray(read_image(windowed)), GREY)
    clipped = eval(line, {**names, "low": 0})  # noqa: S307 -- our own message
    assert Image.fromarray(clipped).getextrema() == (0, 255)
