import base64
import contextlib
import io
import random
import time

import numpy as np
import pytest
from PIL import Image

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.formats.jpeg.check import MAX_PROGRESSIVE_BYTES, check_jpeg
from edge_infer.formats.jpeg.segments import MAX_FILL_BYTES, MAX_SCANS, MAX_SEGMENTS
from edge_infer.image_file import read_image

Y, X = np.mgrid[:90, :120]
WAVES = np.clip(120 + 80 * np.sin(X / 5) * np.cos(Y / 7) + 40 * np.sin(X * Y / 9), 0, 255)
GREY = Image.fromarray(WAVES.astype(np.uint8))
COLOUR = Image.merge(
    "RGB", [GREY, GREY.rotate(180), GREY.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
)
EOI = b"\xff\xd9"

# jpegtran -optimize -scans, with one scan for each component of a 4:2:0 image of 56 x 40 pixels
ONE_SCAN_A_COMPONENT = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqm"
    "x5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAoADgD"
    "ASIAAhEBAxEB/8QAGQAAAwEBAQAAAAAAAAAAAAAAAgMEBQEA/8QAJRAAAgICAQMEAwEAAAAAAAAAAQMAAhESIQQx8EFRscEiYXGB/9oACAEBAAA/"
    "ACTcUqMxl3bD2kLl7GAtWpzLks1EJjBYSFyjY5nW31OPQefc4txsee/xLFL2E6xWokTGameU3Y+cy1S9hIOrH5H+/UUjO3Phmv0pGBGPxrMfqgdj"
    "B6fO02OlIwJExe9v0RAqk1PI5+Y+jNeIVnbcRF1b9oNVan79o+jdQT2HYRyKC9RmE5WtfQiZr7mp8MFLDY4mkmgsOZ56wBzk/wCTMew7Y7Cf/8QA"
    "FwEBAQEBAAAAAAAAAAAAAAAABAIBAP/EABoRAAIDAQEAAAAAAAAAAAAAAAECAAMhERL/2gAIAQIRAD8AxK/GzXs94JyJ42U1/ZdzArwQ1KkHpiLm"
    "BHBBrWTKQktsXYOLkLWfTbH+QJ//xAAWAQEBAQAAAAAAAAAAAAAAAAADBAL/xAAZEQEAAwEBAAAAAAAAAAAAAAABABEhAgP/2gAIAQMRAD8ARbJP"
    "tyhpJJ1Y5EOtqM85cE62pQeYwE2bHJmtiHST/9k="
)


def saved(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def without_segments(data: bytes, marker: int) -> bytes:
    """Drop segments of a kind that stand before the first scan."""
    kept, at = data[:2], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += b"" if data[at + 1] == marker else data[at:end]
        at = end
    return kept + data[at:]


WHOLE = {
    "grey": saved(GREY),
    "quality 100": saved(GREY, quality=100),
    "quality 1": saved(GREY, quality=1),
    "own tables": saved(GREY, optimize=True),
    "flat but for a corner": saved(Image.eval(GREY, lambda value: 9 if value < 170 else 250)),
    "4:2:0": saved(COLOUR, subsampling=2),
    "4:2:2, restart each row": saved(COLOUR, subsampling=1, restart_marker_rows=1),
    "4:4:4, restart each MCU": saved(COLOUR, subsampling=0, restart_marker_blocks=1),
    "progressive": saved(GREY, progressive=True, quality=95),
    "progressive 4:2:0": saved(COLOUR, progressive=True, subsampling=2),
    "progressive, restarts": saved(COLOUR, progressive=True, restart_marker_blocks=3),
    "CMYK": saved(COLOUR.convert("CMYK")),
    "progressive CMYK": saved(COLOUR.convert("CMYK"), progressive=True),
    "one scan a component": ONE_SCAN_A_COMPONENT,
    "standard tables left out": without_segments(saved(GREY), 0xC4),
    "bytes behind the end": saved(GREY) + b"\0" * 100,
    "fill bytes": saved(GREY).replace(b"\xff\xdb", b"\xff\xff\xff\xdb").replace(EOI, b"\xff" + EOI),
}


def data_start(data: bytes) -> int:
    header = data.index(b"\xff\xda")
    return header + 2 + int.from_bytes(data[header + 2 : header + 4], "big")


def data_end(data: bytes) -> int:
    return data.rindex(EOI)


def overwritten(data: bytes, value: bytes) -> bytes:
    """Remove two fifths of the data after the headers."""
    start, end = data_start(data), data_end(data)
    first, last = start + (end - start) * 2 // 5, start + (end - start) * 4 // 5
    return data[:first] + value * (last - first) + data[last:]


DAMAGE = {
    "zeros in the middle": lambda d: overwritten(d, b"\0"),
    "ones in the middle": lambda d: overwritten(d, b"\xff"),
    "a part missing": lambda d: overwritten(d, b""),
    "cut": lambda d: d[: int(0.8 * len(d))],
    "cut, end marker": lambda d: d[: int(0.8 * len(d))] + EOI,
    "cut behind the header, end marker": lambda d: d[: data_start(d)] + EOI,
    "last bytes missing": lambda d: d[: data_end(d) - 3] + d[data_end(d) :],
    "a byte too many": lambda d: d[: data_end(d)] + b"\x12" + d[data_end(d) :],
    "no end marker": lambda d: d[: data_end(d)],
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_jpeg_of_any_kind_is_read(data: bytes) -> None:
    assert np.asarray(read_image(data)).std() > 1


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("kind", [kind for kind in WHOLE if "behind" not in kind])
def test_a_damaged_jpeg_gets_no_pixels(kind: str, damage: object) -> None:
    with pytest.raises(CorruptImage):
        read_image(damage(WHOLE[kind]))  # type: ignore[operator]  # a function of the table above


def test_a_jpeg_of_more_than_one_piece_of_windows_is_read() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400)).astype(np.uint8)
    data = saved(Image.fromarray(noise), quality=98)
    assert len(data) > 100_000
    check_jpeg(data, "")
    with pytest.raises(CorruptImage):
        check_jpeg(data[:90_000] + data[90_001:], "")


def test_restart_markers_out_of_order_are_damage() -> None:
    data = saved(GREY, restart_marker_rows=1)
    swapped = data.replace(b"\xff\xd1", b"\xff\xd9x").replace(b"\xff\xd2", b"\xff\xd1")
    with pytest.raises(CorruptImage):
        check_jpeg(swapped.replace(b"\xff\xd9x", b"\xff\xd2"), "")
    start, end = data.index(b"\xff\xd2"), data.index(b"\xff\xd3")
    with pytest.raises(CorruptImage, match="restart"):
        check_jpeg(data[:start] + data[end:], "")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_header_that_claims_more_than_the_data_hold_is_damage(*, progressive: bool) -> None:
    data = saved(GREY, progressive=progressive)
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    started = time.perf_counter()
    with pytest.raises(CorruptImage):
        check_jpeg(data[: at + 5] + b"\x13\x12\x20\x00" + data[at + 9 :], "")  # 8192 x 4882
    assert time.perf_counter() - started < 2


def test_a_progressive_jpeg_that_ends_between_two_scans_is_cut_short() -> None:
    data = WHOLE["progressive 4:2:0"]
    last = data.rindex(b"\xff\xc4")
    with pytest.raises(CorruptImage, match="scans are missing"):
        check_jpeg(data[:last] + EOI, "")


def test_a_jpeg_without_one_of_its_components_is_cut_short() -> None:
    data = ONE_SCAN_A_COMPONENT
    with pytest.raises(CorruptImage, match="component is missing"):
        check_jpeg(data[: data.rindex(b"\xff\xc4")] + EOI, "")


def test_more_scans_than_any_encoder_needs_are_over_the_limit() -> None:
    data = saved(GREY, progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last : data_end(data)]
    with pytest.raises(InputOverLimit, match="scans"):
        read_image(data[:last] + MAX_SCANS * scan + EOI)


def test_many_scans_of_a_large_image_are_over_the_limit() -> None:
    data = saved(Image.new("L", (5000, 5000)), progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last : data_end(data)]
    with pytest.raises(InputOverLimit, match="progressive"):
        read_image(data[:last] + 60 * scan + EOI)


def test_more_progressive_data_than_can_be_walked_in_time_are_over_the_limit() -> None:
    data = saved(GREY, progressive=True)
    end = data_end(data)
    with pytest.raises(InputOverLimit, match="progressive"):
        read_image(data[:end] + b"\x55" * MAX_PROGRESSIVE_BYTES + data[end:])


@pytest.mark.parametrize("place", ["before a segment", "behind the data", "all of it"])
def test_fill_bytes_are_bounded_and_cost_no_time(place: str) -> None:
    data = saved(GREY)
    at = {"before a segment": 2, "behind the data": data_end(data), "all of it": 3}[place]
    rest = b"" if place == "all of it" else data[at:]
    started = time.perf_counter()
    with pytest.raises(InputOverLimit, match="fill"):
        read_image(data[:at] + b"\xff" * 20_000_000 + rest)
    assert time.perf_counter() - started < 2
    check_jpeg(data[:2] + b"\xff" * (MAX_FILL_BYTES - 1) + data[2:], "")


def test_segments_are_bounded() -> None:
    data = saved(GREY)
    with pytest.raises(InputOverLimit, match="segments"):
        read_image(data[:2] + b"\xff\xfe\0\2" * MAX_SEGMENTS + data[2:])


def test_an_arithmetic_coded_jpeg_is_named_and_a_false_one_is_damage() -> None:
    changed = saved(GREY).replace(b"\xff\xc0", b"\xff\xc9", 1)
    with pytest.raises(CorruptImage):
        read_image(changed)
    with pytest.raises(UnsupportedImage, match="arithmetic"):
        read_image(without_segments(changed, 0xC4))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xff\xdb\0\x43\0", b"\xff\xdb\0\x43\x50"),  # a quantization table of no known precision
        (b"\xff\xda\0\x08\1\1\0\0\x3f\0", b"\xff\xda\0\x08\1\1\0\0\x3e\0"),
        (b"\xff\xda\0\x08\1\1\0\0\x3f\0", b"\xff\xda\0\x08\1\2\0\0\x3f\0"),
        (b"\xff\xc4\0\x1f\0\0\1", b"\xff\xc4\0\x1f\0\4\1"),
        (b"\xff\xda", b"\xff\xfe\0\2x\xff\xda"),  # a byte between segments
    ],
)
def test_headers_that_contradict_the_standard_are_damage(old: bytes, new: bytes) -> None:
    data = saved(GREY)
    assert data.count(old) == 1
    with pytest.raises(CorruptImage):
        check_jpeg(data.replace(old, new), "")


def test_a_block_of_more_than_64_coefficients_is_damage() -> None:
    header = saved(GREY.crop((0, 0, 16, 16)))
    header = header[: data_start(header)]
    empty, skip_16, end = "00", "11111111001", "1010"  # T.81, tables K.3 and K.5

    def blocks(first: str) -> bytes:
        bits = empty + first + 3 * (empty + end)
        octets = int(bits + "1" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
        return header + octets.replace(b"\xff", b"\xff\0") + EOI

    check_jpeg(blocks(3 * skip_16 + end), "")
    with pytest.raises(CorruptImage, match="too many coefficients"):
        check_jpeg(blocks(4 * skip_16), "")


def test_colours_of_no_known_kind_are_damage() -> None:
    data = WHOLE["CMYK"]
    at = data.index(b"Adobe") + 11
    with pytest.raises(CorruptImage, match="colours"):
        check_jpeg(data[:at] + b"\x3e" + data[at + 1 :], "")


def test_a_quantization_step_of_0_is_damage() -> None:
    data = saved(GREY)
    at = data.index(b"\xff\xdb") + 30
    with pytest.raises(CorruptImage, match="quantization"):
        check_jpeg(data[:at] + b"\0" + data[at + 1 :], "")


def test_any_change_ends_in_pixels_or_in_one_of_our_errors() -> None:
    draw = random.Random(7)  # noqa: S311 -- damage, no secret
    for data in WHOLE.values():
        for _ in range(60):
            changed = bytearray(data)
            for _ in range(draw.randrange(1, 4)):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            with contextlib.suppress(CorruptImage, UnsupportedImage, InputOverLimit):
                read_image(bytes(changed))


@pytest.mark.real_scans
def test_real_scans_are_whole(real_scans) -> None:  # type: ignore[no-untyped-def]  # a fixture
    paths = sorted(real_scans.rglob("*.jpg"))[::50]
    assert len(paths) > 100
    for path in paths:
        check_jpeg(path.read_bytes(), path.name)
