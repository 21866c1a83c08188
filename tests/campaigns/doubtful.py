"""Scans made doubtful, as users find and export them, and harmless changes that deserve no doubt."""

import io
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

__all__ = ["FOR", "HARMLESS", "made_doubtful"]

Colour = tuple[int, int, int]
RED, YELLOW, GREEN, CYAN = (255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255)
WORDS = "MR 1.5T SE TR 450 TE 12 FOV 24 1961-03-02 R L A P W1200 L600 Zoom Axial T1 +C Se:4 Im:12"

#: The reason that each kind should get; ``HARMLESS`` should get none.
FOR = {
    "contour, 1 px in 256": "colour_overlay",
    "contour, 2 px in 256, JPEG 75": "colour_overlay",
    "mask, 40 % opaque": "colour_overlay",
    "mask, 20 % opaque": "colour_overlay",
    "coloured arrow": "colour_overlay",
    "thin coloured box": "colour_overlay",
    "heat map, 40 % opaque": "colour_overlay",
    "viewer, dark": "colour_overlay",
    "viewer, light": "colour_overlay",
    "viewer, grey": "several_slices",
    "text, 2 % high, 8 lines": "burnt_in_text",
    "text, 3 % high, 16 lines": "burnt_in_text",
    "text, 3 % high, 16 lines, JPEG 75": "burnt_in_text",
    "text, 4 % high, 20 lines": "burnt_in_text",
    "text, 8 % high, 8 lines": "burnt_in_text",
    "text, 2 % high, 2 lines": "burnt_in_text",
    "black frame, 31 % of the image": "blank_rim",
    "black frame, 56 % of the image": "blank_rim",
    "black frame, 75 % of the image": "blank_rim",
    "white frame, 31 % of the image": "blank_rim",
    "grey frame, 31 % of the image": "blank_rim",
    "two, own shape": "several_slices",
    "two, in a square": "several_slices",
    "two, cut at the head": "several_slices",
    "two, white gap": "several_slices",
    "two, one above the other": "several_slices",
    "three in a row": "several_slices",
    "2 x 2": "several_slices",
    "3 x 2": "several_slices",
    "3 x 3": "several_slices",
    "5 x 4": "several_slices",
    "inverted": "inverted",
    "4 levels": "too_few_grey_levels",
    "8 levels": "too_few_grey_levels",
    "16 levels": "too_few_grey_levels",
    "16 levels, resized": "too_few_grey_levels",
    "8 levels, JPEG 90": "too_few_grey_levels",
    "one hot pixel of 16 bits": "too_few_grey_levels",
    "24 px": "too_small",
    "24 px, enlarged": "low_quality",
    "48 px, enlarged": "low_quality",
    "motion, 3 % of the side": "low_quality",
    "motion, 6 % of the side": "low_quality",
    "motion, 10 % of the side": "low_quality",
    "noise, sd 30": "low_quality",
    "noise, sd 60": "low_quality",
    "JPEG 5": "low_quality",
    "JPEG 10": "low_quality",
    "JPEG 5, resized": "low_quality",
}
HARMLESS = (
    "as found",
    "sepia",
    "blue film",
    "colour JPEG 20",
    "colour noise, sd 4",
    "colour noise, sd 8",
    "false colours (hot)",
    "one letter",
    "white arrow",
    "96 px, enlarged",
    "256 px",
    "1024 px",
    "turned by 20 degrees",
    "10 % cut off",
    "darker (x 0.4)",
    "brighter (gamma 0.6)",
    "noise, sd 15",
    "JPEG 30",
)


def made_doubtful(
    scan: Image.Image, others: list[Image.Image], rng: np.random.Generator
) -> Iterator[tuple[str, Image.Image]]:
    """Yield each kind of ``FOR`` and ``HARMLESS`` once.

    Args:
        scan: Mode ``L``.
        others: Three other scans, mode ``L``.
        rng: For places, colours and words.
    """
    yield from _coloured(scan, rng)
    yield from _screens_and_text(scan, rng)
    yield from _framed(scan)
    yield from _tiled(scan, others)
    yield from _degraded(scan, rng)
    yield from _harmless(scan, rng)


def _coloured(scan: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    colour = (RED, YELLOW, GREEN, CYAN)[rng.integers(4)]
    yield "contour, 1 px in 256", _outlined(scan, rng, colour, 1)
    yield "contour, 2 px in 256, JPEG 75", _jpeg(_outlined(scan, rng, colour, 2), 75)
    yield "mask, 40 % opaque", _outlined(scan, rng, colour, 0, opaque=0.4)
    yield "mask, 20 % opaque", _outlined(scan, rng, colour, 0, opaque=0.2)
    yield "coloured arrow", _arrow(scan, rng, colour)
    box = scan.convert("RGB")
    corners = (box.width * 0.4, box.height * 0.4, box.width * 0.55, box.height * 0.55)
    ImageDraw.Draw(box).rectangle(corners, outline=colour, width=max(1, box.width // 256))
    yield "thin coloured box", box
    yield "heat map, 40 % opaque", _heat_map(scan, rng)


def _screens_and_text(
    scan: Image.Image, rng: np.random.Generator
) -> Iterator[tuple[str, Image.Image]]:
    yield "viewer, dark", _viewer(scan, rng, is_dark=True, is_coloured=True)
    yield "viewer, light", _viewer(scan, rng, is_dark=False, is_coloured=True)
    yield (
        "viewer, grey",
        _viewer(scan, rng, is_dark=bool(rng.integers(2)), is_coloured=False).convert("L"),
    )
    for percent, lines in ((2, 2), (3, 4), (4, 5), (8, 2)):
        written = _written(scan, percent / 100, lines, rng)
        yield f"text, {percent} % high, {4 * lines} lines", written
        if percent == 3:
            yield "text, 3 % high, 16 lines, JPEG 75", _jpeg(written, 75)
    yield "text, 2 % high, 2 lines", _written(scan, 0.02, 1, rng, corners=(0, 3))


def _framed(scan: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    side = max(scan.size)
    for part, percent in ((0.1, 31), (0.25, 56), (0.5, 75)):
        frame = round(part * side)
        yield f"black frame, {percent} % of the image", ImageOps.expand(scan, frame, fill=0)
        if percent == 31:
            yield "white frame, 31 % of the image", ImageOps.expand(scan, frame, fill=255)
            yield "grey frame, 31 % of the image", ImageOps.expand(scan, frame, fill=128)


def _tiled(scan: Image.Image, others: list[Image.Image]) -> Iterator[tuple[str, Image.Image]]:
    pair = [scan, others[0]]
    yield "two, own shape", _tiles(pair, 2)
    yield "two, in a square", ImageOps.pad(_tiles(pair, 2, side=256, gap=4), (512, 512))
    cut = [
        each.crop((round(0.12 * each.width), 0, round(0.88 * each.width), each.height))
        for each in pair
    ]
    yield "two, cut at the head", _tiles(cut, 2)
    yield "two, white gap", _tiles(pair, 2, gap=6, fill=255)
    yield "two, one above the other", _tiles(pair, 1, side=256)
    yield "three in a row", _tiles([scan, *others[:2]], 3, side=256)
    yield "2 x 2", _tiles([scan, *others], 2, side=256, gap=4)
    yield "3 x 2", _tiles([scan, *others, scan, others[0]], 3, side=256, gap=2)
    yield "3 x 3", _tiles([scan, *others, scan, *others, scan], 3, side=256)
    yield "5 x 4", _tiles([scan, *others] * 5, 5, side=128)


def _degraded(scan: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    yield "inverted", ImageOps.invert(scan)
    for count in (4, 8, 16):
        yield f"{count} levels", _levels(scan, count)
    yield (
        "16 levels, resized",
        _levels(scan, 16).resize((256, 256), Image.Resampling.BILINEAR),
    )
    yield "8 levels, JPEG 90", _jpeg(_levels(scan, 8), 90)
    hot = np.asarray(scan).astype(np.float64) * (600 / 255)
    hot[0, 0] = 65_535
    yield "one hot pixel of 16 bits", Image.fromarray((hot * (255 / 65_535)).round().astype("u1"))
    small = {side: scan.resize((side, side), Image.Resampling.BILINEAR) for side in (24, 48)}
    yield "24 px", small[24]
    for side, image in small.items():
        yield f"{side} px, enlarged", image.resize((256, 256), Image.Resampling.BICUBIC)
    for percent in (3, 6, 10):
        yield f"motion, {percent} % of the side", _moved(scan, percent / 100)
    for sd in (30, 60):
        yield f"noise, sd {sd}", _noisy(scan, sd, rng)
    for quality in (5, 10):
        yield f"JPEG {quality}", _jpeg(scan, quality)
    yield "JPEG 5, resized", _jpeg(scan, 5).resize((300, 300), Image.Resampling.BILINEAR)


def _harmless(scan: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    width, height = scan.size
    yield "as found", scan
    yield "sepia", _tinted(scan, (1.07, 0.95, 0.75), (0, 0, 0))
    yield "blue film", _tinted(scan, (0.7, 0.85, 1), (0, 10, 30))
    yield "colour JPEG 20", _jpeg(scan.convert("RGB"), 20)
    for sd in (4, 8):
        yield f"colour noise, sd {sd}", _colour_noise(scan, sd, rng)
    grey = np.asarray(scan) * 3.0
    hot = np.stack([grey, grey - 255, grey - 510], axis=-1).clip(0, 255)
    yield "false colours (hot)", Image.fromarray(hot.astype("u1"))
    letter = scan.copy()
    font = ImageFont.load_default(max(8, width // 20))
    ImageDraw.Draw(letter).text((4, height // 2), "R", font=font, fill=255)
    yield "one letter", letter
    yield "white arrow", _arrow(scan, rng, (255, 255, 255)).convert("L")
    bicubic = Image.Resampling.BICUBIC
    yield "96 px, enlarged", scan.resize((96, 96), bicubic).resize((256, 256), bicubic)
    for side in (256, 1024):
        yield f"{side} px", scan.resize((side, side), bicubic)
    yield "turned by 20 degrees", scan.rotate(20, resample=bicubic)
    yield (
        "10 % cut off",
        scan.crop((width // 10, height // 10, width - width // 10, height - height // 10)),
    )
    yield "darker (x 0.4)", scan.point(lambda grey: grey * 2 // 5)
    yield "brighter (gamma 0.6)", scan.point(lambda grey: round(255 * (grey / 255) ** 0.6))
    yield "noise, sd 15", _noisy(scan, 15, rng)
    yield "JPEG 30", _jpeg(scan, 30)


def _outlined(
    scan: Image.Image,
    rng: np.random.Generator,
    colour: Colour,
    width: int,
    *,
    opaque: float = 0.0,
) -> Image.Image:
    x, y = scan.width * rng.uniform(0.35, 0.65), scan.height * rng.uniform(0.35, 0.65)
    angle = np.linspace(0, 2 * np.pi, 40)
    radius = min(scan.size) * rng.uniform(0.05, 0.14) * (1 + 0.25 * np.sin(3 * angle))
    outline = [(x + r * np.cos(a), y + r * np.sin(a)) for r, a in zip(radius, angle, strict=True)]
    marked = scan.convert("RGB")
    if opaque:
        filled = marked.copy()
        ImageDraw.Draw(filled).polygon(outline, fill=colour)
        marked = Image.blend(marked, filled, opaque)
    if width:
        thick = max(1, round(width * scan.width / 256))
        ImageDraw.Draw(marked).line(outline, fill=colour, width=thick)
    return marked


def _arrow(scan: Image.Image, rng: np.random.Generator, colour: Colour) -> Image.Image:
    marked = scan.convert("RGB")
    x, y = scan.width * rng.uniform(0.35, 0.65), scan.height * rng.uniform(0.35, 0.65)
    long = 0.12 * scan.width
    draw = ImageDraw.Draw(marked)
    draw.line((x - long, y - long, x, y), fill=colour, width=max(1, scan.width // 100))
    tip = [(x, y), (x - long / 2, y - long / 5), (x - long / 5, y - long / 2)]
    draw.polygon(tip, fill=colour)
    return marked


def _heat_map(scan: Image.Image, rng: np.random.Generator) -> Image.Image:
    rows, columns = np.mgrid[: scan.height, : scan.width]
    x, y = scan.width * rng.uniform(0.35, 0.65), scan.height * rng.uniform(0.35, 0.65)
    away = ((columns - x) ** 2 + (rows - y) ** 2) / (0.18 * scan.width) ** 2
    heat = 4 * np.exp(-away / 2)
    jet = np.stack([1.5 - np.abs(heat - peak) for peak in (3, 2, 1)], axis=-1).clip(0, 1)
    return Image.fromarray((0.6 * np.asarray(scan)[..., None] + 0.4 * 255 * jet).astype("u1"))


def _viewer(
    scan: Image.Image, rng: np.random.Generator, *, is_dark: bool, is_coloured: bool
) -> Image.Image:
    width, height, panel = int(rng.choice([1024, 1280, 1600])), 800, 240
    back, front = ((40, 42, 46), (220,) * 3) if is_dark else ((236,) * 3, (20,) * 3)
    bar, side = ((60, 63, 70), (50, 52, 58)) if is_dark else ((250,) * 3, (225, 228, 232))
    screen = Image.new("RGB", (width, height), back)
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(14)
    draw.rectangle((0, 0, width, 28), fill=bar)
    draw.text((10, 6), "File    Edit    View    Tools    Window    Help", font=font, fill=front)
    draw.rectangle((0, 28, panel, height), fill=side)
    for line in range(22):
        draw.text(
            (12, 44 + 30 * line), " ".join(rng.choice(WORDS.split(), 3)), font=font, fill=front
        )
    if is_coloured:
        for button in range(8):
            colour: Colour = tuple(rng.integers(0, 255, 3).tolist())
            draw.rectangle((260 + 40 * button, 36, 288 + 40 * button, 60), fill=colour)
        draw.rectangle((8, 40, panel - 8, 66), outline=(60, 140, 255), width=2)
    shown = min(width - panel - 20, height - 110)
    slice_ = _written(scan.resize((shown, shown)), 0.022, 4, rng)
    draw.rectangle((panel, 70, width, height), fill=(0, 0, 0))
    screen.paste(slice_.convert("RGB"), (panel + (width - panel - shown) // 2, 75))
    return screen


def _written(
    scan: Image.Image,
    high: float,
    lines: int,
    rng: np.random.Generator,
    corners: tuple[int, ...] = (0, 1, 2, 3),
) -> Image.Image:
    written = scan.copy()
    draw, size = ImageDraw.Draw(written), max(6, round(high * scan.width))
    font = ImageFont.load_default(size)
    for corner in corners:
        for line in range(lines):
            text = " ".join(rng.choice(WORDS.split(), 3))
            x = 4 if corner % 2 == 0 else scan.width - draw.textlength(text, font=font) - 4
            from_top = 4 + line * 1.15 * size
            y = from_top if corner < 2 else scan.height - from_top - 1.15 * size
            draw.text((x, y), text, font=font, fill=255)
    return written


def _tiles(
    scans: list[Image.Image],
    columns: int,
    *,
    side: int | None = None,
    gap: int = 0,
    fill: int = 0,
) -> Image.Image:
    tiles = [scan.resize((side, side)) if side else scan for scan in scans]
    width, height = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    rows = -(-len(tiles) // columns)
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap)
    montage = Image.new("L", size, fill)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        left = column * (width + gap) + (width - tile.width) // 2
        montage.paste(tile, (left, row * (height + gap) + (height - tile.height) // 2))
    return montage


def _changed(scan: Image.Image, change: Callable[[NDArray[np.float64]], object]) -> Image.Image:
    pixels = np.asarray(change(np.asarray(scan).astype(np.float64)))
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def _levels(scan: Image.Image, count: int) -> Image.Image:
    return _changed(scan, lambda grey: np.round(grey / 255 * (count - 1)) * 255 / (count - 1))


def _noisy(scan: Image.Image, sd: float, rng: np.random.Generator) -> Image.Image:
    return _changed(scan, lambda grey: grey + rng.normal(0, sd, grey.shape))


def _moved(scan: Image.Image, part: float) -> Image.Image:
    wide = max(3, int(part * scan.width) | 1)

    def blur(grey: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(grey, ((0, 0), (wide // 2 + 1, wide // 2)), mode="edge").cumsum(axis=1)
        blurred: NDArray[np.float64] = (padded[:, wide:] - padded[:, :-wide]) / wide
        return blurred

    return _changed(scan, blur)


def _tinted(
    scan: Image.Image, factors: tuple[float, ...], offsets: tuple[float, ...]
) -> Image.Image:
    return _changed(scan, lambda grey: grey[..., None] * np.array(factors) + np.array(offsets))


def _colour_noise(scan: Image.Image, sd: float, rng: np.random.Generator) -> Image.Image:
    """Add noise to both colours of each block of 8 x 8, and save as colour JPEG."""
    pixels = np.asarray(scan.convert("YCbCr")).astype(np.float64)
    high, wide = -(-scan.height // 8), -(-scan.width // 8)
    noise = rng.normal(0, sd, (high, wide, 2)).repeat(8, axis=0).repeat(8, axis=1)
    pixels[..., 1:] += noise[: scan.height, : scan.width]
    return _jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "YCbCr").convert("RGB"), 30)


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).copy()
