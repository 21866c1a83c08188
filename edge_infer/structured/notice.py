"""The notice that is burnt into every capture: unverified, for research only, and by which model."""

from PIL import Image, ImageDraw, ImageFont

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.structured.algorithm import Algorithm
from edge_infer.structured.words import plain_ascii

__all__ = ["UNVERIFIED", "with_notice"]

UNVERIFIED = "UNVERIFIED"

_LONGEST_SIDE, _LEAST_WIDTH = 2048, 320
#: Pixels: the notice does not outgrow what it is about.
_MOST_LINE, _MOST_MARGIN = 30, 16
_BACKGROUND, _BRIGHT, _WARNING = (18, 18, 20), (240, 240, 240), (255, 204, 0)


def with_notice(image: Image.Image, title: str, algorithm: Algorithm) -> Image.Image:
    """Put an image between a title and the notice; large images are made smaller.

    Args:
        image: Any mode.
        title: One line.
        algorithm: Which is named.

    Returns:
        Mode RGB, of even width and height, 320 to 2048 pixels wide and little more than 2048 high.
    """
    shown = _bounded(image.convert("RGB"))
    width = max(shown.width + shown.width % 2, _LEAST_WIDTH)
    made_by = (
        f"{algorithm.name} {algorithm.precision}, version {algorithm.version}, "
        f"bundle {algorithm.manifest_sha256[:12]}"
    )
    lines = (
        (f"{UNVERIFIED}   {plain_ascii(title)}", _WARNING),
        (RESEARCH_USE_ONLY, _WARNING),
        (made_by, _BRIGHT),
    )
    line = min(max(width // 24, 14), _MOST_LINE)
    height = shown.height + len(lines) * line + line // 2
    result = Image.new("RGB", (width, height + height % 2), _BACKGROUND)
    draw = ImageDraw.Draw(result)
    left = min(width // 32, _MOST_MARGIN)
    _write(draw, lines[0], (left, line // 4), width)
    result.paste(shown, (0, line + line // 4))
    for place, words in enumerate(lines[1:], start=1):
        _write(draw, words, (left, shown.height + place * line + line // 4), width)
    return result


def _bounded(image: Image.Image) -> Image.Image:
    if max(image.size) <= _LONGEST_SIDE:
        return image
    smaller = image.copy()
    smaller.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return smaller


def _write(
    draw: ImageDraw.ImageDraw,
    words: tuple[str, tuple[int, int, int]],
    place: tuple[int, int],
    width: int,
) -> None:
    """Write a line that fits into the width."""
    size = min(width / 34, _MOST_LINE * 0.7)
    room = width - 2 * place[0]
    needed = draw.textlength(words[0], font=ImageFont.load_default(size))
    font = ImageFont.load_default(size * min(1.0, room / max(needed, 1.0)))
    draw.text(place, words[0], fill=words[1], font=font)
