"""From stored values to grey levels: rescale, window or table, presentation; and what is ignored with a word."""

from typing import Any

import numpy as np
import pytest
from dicom_files import compressed, drawn_volume, enhanced_mr, lut, mr_slice, scan_file
from shown_scans import pixels, shown

from edge_infer.dicom.read import open_dicom
from edge_infer.stretch import BLANK, STRETCHED, stretch

HEAD = drawn_volume()[4]
WINDOW = {"WindowCenter": "700", "WindowWidth": "1400"}


def _linear(values: Any, centre: float, width: float) -> Any:
    """PS3.3 C.11.2.1.2.1, written as in the standard, to 0..255."""
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    between = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return np.where(values <= low, 0, np.where(values > high, 255, between))


def _close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, np.rint(expected), atol=1)


def _by_percentiles(values: Any) -> Any:
    grey = stretch(values.astype(float))
    assert grey is not None
    return grey


def test_the_window_of_the_file_is_used_and_said() -> None:
    one = shown(mr_slice(HEAD, **WINDOW))
    _close(pixels(one), _linear(HEAD.astype(float), 700, 1400))
    assert one.grey == "window of the header (centre 700, width 1400, LINEAR)"
    assert one.warnings == ()


def test_without_a_window_percentiles_are_used_and_said() -> None:
    one = shown(mr_slice(HEAD))
    _close(pixels(one), _by_percentiles(HEAD))
    assert (one.grey, one.warnings) == (STRETCHED, ())


def test_an_exact_window_differs_by_half_a_value() -> None:
    steps = np.arange(256, dtype=np.uint16).reshape(16, 16)
    exact = shown(
        mr_slice(steps, WindowCenter="100", WindowWidth="10", VOILUTFunction="LINEAR_EXACT")
    )
    values = steps.astype(float)
    _close(pixels(exact), np.clip((values - 95) / 10, 0, 1) * 255)
    assert (
        pixels(exact) != pixels(shown(mr_slice(steps, WindowCenter="100", WindowWidth="10")))
    ).any()


def test_a_sigmoid_window_never_reaches_its_ends() -> None:
    one = shown(mr_slice(HEAD, VOILUTFunction="SIGMOID", **WINDOW))
    _close(pixels(one), 255 / (1 + np.exp(-4 * (HEAD.astype(float) - 700) / 1400)))
    assert pixels(one).min() > 20


def test_rescaled_values_are_windowed() -> None:
    attributes = {"RescaleSlope": "2.5", "RescaleIntercept": "-100"}
    one = shown(mr_slice(HEAD, WindowCenter="1650", WindowWidth="3500", **attributes))
    _close(pixels(one), _linear(HEAD * 2.5 - 100, 1650, 3500))
    assert one.grey.startswith("rescaled, window")


def test_a_missing_intercept_is_zero() -> None:
    one = shown(mr_slice(HEAD, RescaleSlope="2", WindowCenter="1400", WindowWidth="2800"))
    _close(pixels(one), _linear(HEAD * 2.0, 1400, 2800))


@pytest.mark.parametrize("slope", ["", "0", "JANE"])
def test_a_bad_slope_is_ignored_together_with_the_window(slope: str) -> None:
    dataset = mr_slice(HEAD, **WINDOW)
    dataset.RescaleIntercept = "0"
    dataset.add_new("RescaleSlope", "LO", slope)  # as text, or pydicom would not take it
    dataset["RescaleSlope"].VR = "DS"
    dataset["RescaleSlope"]._value = slope
    one = shown(dataset)
    _close(pixels(one), _by_percentiles(HEAD))
    assert one.grey == STRETCHED
    assert "rescale" in one.warnings[0]
    assert "JANE" not in repr(one)


@pytest.mark.parametrize(
    "bad",
    [
        {"WindowCenter": "700", "WindowWidth": "0"},
        {"WindowCenter": "700", "WindowWidth": "-5"},
        {"WindowCenter": "700", "WindowWidth": "0.5"},
        {"WindowCenter": "700"},
        {"WindowWidth": "700"},
        {**WINDOW, "VOILUTFunction": "CANARY"},
        {"WindowCenter": "90000", "WindowWidth": "10"},
    ],
)
def test_a_bad_window_is_ignored_with_a_word(bad: dict[str, str]) -> None:
    one = shown(mr_slice(HEAD, **bad))
    assert one.grey == STRETCHED
    assert len(one.warnings) == 1
    assert one.warnings[0].startswith("the window of the header")
    assert one.warnings[0].endswith("ignored")


def test_an_empty_window_is_none() -> None:
    one = shown(mr_slice(HEAD, WindowCenter="", WindowWidth=""))
    assert (one.grey, one.warnings) == (STRETCHED, ())


def test_of_several_windows_the_first_is_used_with_a_word() -> None:
    one = shown(mr_slice(HEAD, WindowCenter=["700", "300"], WindowWidth=["1400", "600"]))
    np.testing.assert_array_equal(pixels(one), pixels(shown(mr_slice(HEAD, **WINDOW))))
    assert one.warnings == ("the header has 2 windows: the first is used",)


def test_a_modality_table_takes_the_place_of_rescale() -> None:
    table = lut([2 * value for value in range(1400)], first=50)
    one = shown(mr_slice(HEAD, ModalityLUTSequence=table, WindowCenter="1400", WindowWidth="2800"))
    _close(pixels(one), _linear(2.0 * np.clip(HEAD.astype(float) - 50, 0, 1399), 1400, 2800))
    assert one.grey.startswith("modality LUT, window")


def test_a_voi_table_comes_before_the_window() -> None:
    entries = [min(65535, value * 40) for value in range(1600)]
    one = shown(mr_slice(HEAD, VOILUTSequence=lut(entries, first=0), **WINDOW))
    _close(pixels(one), np.array(entries)[HEAD] / 65535 * 255)
    assert one.grey == "VOI LUT of the header"


def test_a_table_of_8_bits_two_to_a_word_is_read() -> None:
    item = lut([0] * 256, first=0, bits=8)[0]
    item.LUTData = bytes(range(256))
    small = (HEAD // 6).astype(np.uint8)
    _close(pixels(shown(mr_slice(small, bits_stored=8, VOILUTSequence=[item]))), small)


@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_a_bad_table_is_ignored_with_a_word(keyword: str) -> None:
    table = lut([1, 2, 3, 4], first=0)
    table[0].LUTDescriptor = [9, 0, 16]
    one = shown(mr_slice(HEAD, **{keyword: table}))
    assert one.grey == STRETCHED
    assert one.warnings[0].endswith("LUT of the header is bad: ignored")


@pytest.mark.parametrize(
    ("photometric", "shape", "is_inverted"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
    ],
)
@pytest.mark.parametrize("window", [WINDOW, {}])
def test_presentation_shape_decides_what_is_inverted(
    photometric: str, shape: str | None, is_inverted: bool, window: dict[str, str]
) -> None:
    plain = pixels(shown(mr_slice(HEAD, **window)))
    one = shown(
        mr_slice(HEAD, PhotometricInterpretation=photometric, PresentationLUTShape=shape, **window)
    )
    expected = 255 - plain if is_inverted else plain
    np.testing.assert_allclose(pixels(one), expected, atol=1)
    assert one.grey.endswith(", inverted") == is_inverted


@pytest.mark.parametrize("bits_stored", [12, 16])
def test_signed_values_are_read_with_their_sign(bits_stored: int) -> None:
    values = HEAD.astype(np.int16) - 700
    one = shown(mr_slice(values, bits_stored=bits_stored, WindowCenter="0", WindowWidth="1400"))
    _close(pixels(one), _linear(values.astype(float), 0, 1400))


def test_bits_above_those_stored_are_not_part_of_the_value() -> None:
    marked = HEAD | 0x8000  # an overlay of old files
    one = shown(mr_slice(marked.astype(np.uint16), **WINDOW))
    np.testing.assert_array_equal(pixels(one), pixels(shown(mr_slice(HEAD, **WINDOW))))


def test_8_and_32_bits_are_read() -> None:
    small = (HEAD // 6).astype(np.uint8)
    _close(pixels(shown(mr_slice(small, bits_stored=8))), _by_percentiles(small))
    large = HEAD.astype(np.uint32) * 1000
    _close(pixels(shown(mr_slice(large, bits_stored=32))), _by_percentiles(large))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_shift_the_percentiles(photometric: str) -> None:
    values = HEAD.astype(np.int16)
    values[:30] = -2000
    one = shown(
        mr_slice(
            values, bits_stored=16, PixelPaddingValue=-2000, PhotometricInterpretation=photometric
        )
    )
    expected = _by_percentiles(values[30:])
    assert not pixels(one)[:30].any()
    _close(pixels(one)[30:], 255 - expected if photometric == "MONOCHROME1" else expected)


def test_a_range_of_padding_is_black_whatever_sign_it_was_written_with() -> None:
    values = HEAD.astype(np.int16) + 10
    values[:20], values[20:30] = -2000, -1990
    dataset = mr_slice(values, bits_stored=16)
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)
    dataset.add_new("PixelPaddingRangeLimit", "US", 65536 - 1990)
    assert not pixels(shown(dataset))[:30].any()
    assert pixels(shown(dataset))[30:].any()


def test_a_blank_slice_is_black_and_says_so() -> None:
    one = shown(
        mr_slice(np.full((32, 32), 500, np.uint16), PhotometricInterpretation="MONOCHROME1")
    )
    assert not pixels(one).any()
    assert one.warnings == (BLANK,)


def test_big_endian_tables_and_values_are_read() -> None:
    entries = [min(65535, value * 40) for value in range(1600)]
    one = shown(compressed(mr_slice(HEAD, VOILUTSequence=lut(entries, first=0)), "big-endian"))
    _close(pixels(one), np.array(entries)[HEAD] / 65535 * 255)


@pytest.mark.parametrize("is_shared", [False, True])
def test_rescale_and_window_of_an_enhanced_file_stand_in_its_groups(is_shared: bool) -> None:
    volume = drawn_volume(slices=4)
    windows = [(700 + 100 * frame, 1400 + 50 * frame) for frame in range(4)]
    rescales = [(1 + frame / 2, -10 * frame) for frame in range(4)]
    dataset = enhanced_mr(volume, windows=windows, rescales=rescales, is_shared=is_shared)
    for frame, one in enumerate(open_dicom(scan_file(dataset))):
        at = 0 if is_shared else frame
        slope, intercept = rescales[at]
        found = one.read()
        _close(pixels(found), _linear(volume[frame] * slope + intercept, *windows[at]))
        assert "window of the header" in found.grey


def test_pixels_compressed_with_loss_say_so() -> None:
    small = (HEAD // 6).astype(np.uint8)
    one = shown(compressed(mr_slice(small, bits_stored=8), "jpeg-baseline"))
    assert one.warnings == ("the pixels were compressed with loss",)
    assert shown(mr_slice(HEAD, LossyImageCompression="01")).warnings == one.warnings
    assert shown(mr_slice(HEAD, LossyImageCompression="00")).warnings == ()
