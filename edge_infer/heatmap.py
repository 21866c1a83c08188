"""Draw the evidence over a scan: what each place adds to the predicted class."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_infer.classes import BRAIN, Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.prediction import Prediction

__all__ = ["draw_evidence", "draw_heatmap", "fitting", "relative_strength", "words_for_negative"]

_MIN_WIDTH = 512
# The two ends of ColorBrewer's RdYlBu, safe for the colour-blind.
_FOR = np.array([214, 47, 39], dtype=np.float32)
_AGAINST = np.array([49, 104, 190], dtype=np.float32)
_OPACITY = 0.6
#: A share of colour that an eye still sees.
_VISIBLE = 0.03
_BACKGROUND = (18, 18, 20)
_BRIGHT, _DIM = (240, 240, 240), (160, 160, 165)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_heatmap(image: Image.Image, prediction: Prediction) -> Image.Image:
    """Draw the evidence for the predicted class over the scan, with a legend below: the decision, then the class.

    Red is evidence for the class, blue against it, relative to the mean over all classes, since
    only differences between classes change a probability. The strongest place of each image has
    full colour, so colours of two images cannot be compared.

    The negative class, such as ``no_tumor``, has no place, so nothing is red then: blue marks what looks like another
    class all the same, relative to the one that is strongest there. Often nothing does.

    Args:
        image: The scan, mode ``L``, as read by ``read_image``.
        prediction: Of the same scan.

    Returns:
        Mode RGB, at least 512 pixels wide.
    """
    width = max(_MIN_WIDTH, image.width)
    size = (width, round(image.height * width / image.width))
    row = list(prediction.probabilities).index(prediction.label)
    drawn = draw_evidence(image, prediction.evidence, row, size, classes=prediction.classes)
    legend = _legend(width, prediction)
    result = Image.new("RGB", (width, drawn.height + legend.height), _BACKGROUND)
    result.paste(drawn, (0, 0))
    result.paste(legend, (0, drawn.height))
    return result


def draw_evidence(
    image: Image.Image,
    evidence: NDArray[np.float32],
    label_id: int,
    size: tuple[int, int],
    *,
    classes: Classes = BRAIN,
) -> Image.Image:
    """Draw the evidence for one class over the scan, without a legend; see ``draw_heatmap``.

    Args:
        image: The scan, mode ``L``.
        evidence: float32, (classes, h, w).
        label_id: The class.
        size: (width, height) of the result in pixels.
        classes: Of the model; the negative one has no place.

    Returns:
        Mode RGB.
    """
    scan = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    relative = relative_strength(evidence, label_id, size, classes=classes)
    strength = relative[:, :, None]  # (H, W, 1), -1..1
    colour = np.where(strength > 0, _FOR, _AGAINST)
    alpha = np.abs(strength) * _OPACITY
    blended = scan[:, :, None] * (1 - alpha) + colour * alpha
    return Image.fromarray(np.rint(blended).astype(np.uint8))


def relative_strength(
    evidence: NDArray[np.float32],
    label_id: int,
    size: tuple[int, int],
    *,
    classes: Classes = BRAIN,
) -> NDArray[np.float32]:
    """Return the evidence for a class relative to the others, scaled and enlarged.

    A class is compared with the mean over all classes. The negative one, such as ``no_tumor``, is compared with the
    strongest of the others, and only what speaks against it is kept.

    Args:
        evidence: float32, (classes, h, w).
        label_id: The class.
        size: (width, height) of the result in pixels.
        classes: Of the model.

    Returns:
        float32, (H, W), -1..1; of a class that is not the negative one, the largest magnitude before enlarging is 1,
        or 0 if no place says anything.
    """
    if label_id == classes.negative_id:
        others = np.delete(evidence, label_id, axis=0)
        relative = evidence[label_id] - others.max(axis=0)  # (h, w)
    else:
        relative = evidence[label_id] - evidence.mean(axis=0)
    largest = float(
        np.abs(relative).max()
    )  # whatever it speaks for: a trace of a tumour is drawn as a trace
    normed = relative / largest if largest > 0 else np.zeros_like(relative)
    if label_id == classes.negative_id:
        normed = np.minimum(normed, 0)
    enlarged = Image.fromarray(normed.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(enlarged, dtype=np.float32)


def words_for_negative(prediction: Prediction) -> str:
    """Say what the colours mean of an image that is called ``no_tumor``, and that no colour proves nothing.

    Args:
        prediction: Whose label is the negative class of the model.
    """
    evidence, classes = prediction.evidence, prediction.classes
    row = classes.names.index(prediction.label)
    strongest = float(
        -relative_strength(evidence, row, evidence.shape[:0:-1], classes=classes).min()
    )
    other, any_other = (
        ("tumour", "a tumour") if classes.is_brain else ("other class", "another class")
    )
    if strongest * _OPACITY < _VISIBLE:
        return f"no place is marked: the model sees no {other}; there may be one"
    return f"blue: looks like {any_other} all the same"


def _legend(width: int, prediction: Prediction) -> Image.Image:
    large, small = _font(width / 24), _font(width / 36)
    margin, line = width // 32, width // 18
    decision = _lines(prediction.decision_words, small, width - 2 * margin)
    legend = Image.new("RGB", (width, (3 + len(decision)) * line + margin), _BACKGROUND)
    draw = ImageDraw.Draw(legend)
    top = margin // 2
    # What is not accepted is dim, and why is bright.
    why, answer = (_DIM, _BRIGHT) if prediction.is_accepted else (_BRIGHT, _DIM)
    for words in decision:
        draw.text((margin, top), words, fill=why, font=small)
        top += line
    named = prediction.label if prediction.is_accepted else f"not accepted: {prediction.label}"
    score = f"{prediction.score:.1%}"
    room = width - 2 * margin - round(large.getlength(f" {score}"))
    draw.text((margin, top), fitting(named, large, room), fill=answer, font=large)
    draw.text((width - margin, top), score, fill=answer, font=large, anchor="ra")
    if prediction.is_negative:
        words = words_for_negative(prediction)
        draw.text((margin, top + line), words, fill=_DIM, font=small)
    else:
        _scale(legend, draw, top=top + line, line=line, font=small)
    draw.text((margin, top + 2 * line), RESEARCH_USE_ONLY, fill=_DIM, font=small)
    return legend


def _lines(text: str, font: Font, width: int) -> list[str]:
    """Break a text between words into lines that fit."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def fitting(text: str, font: Font, width: int) -> str:
    """Return a text, cut where it does not fit into so many pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _scale(
    legend: Image.Image, draw: ImageDraw.ImageDraw, *, top: int, line: int, font: Font
) -> None:
    """Draw the colour bar between the words for its two ends."""
    margin, width = legend.width // 32, legend.width
    draw.text((margin, top), "against", fill=_DIM, font=font)
    draw.text((width - margin, top), "for", fill=_DIM, font=font, anchor="ra")
    left = margin + int(draw.textlength("against ", font=font)) + margin
    right = width - 2 * margin - int(draw.textlength("for ", font=font))
    ramp = np.linspace(-1, 1, max(right - left, 2), dtype=np.float32)[None, :, None]
    colour = np.where(ramp > 0, _FOR, _AGAINST)
    bar = np.abs(ramp) * colour + (1 - np.abs(ramp)) * np.array(_BACKGROUND, dtype=np.float32)
    pixels = np.repeat(np.rint(bar).astype(np.uint8), line // 3, axis=0)
    legend.paste(Image.fromarray(pixels), (left, top + line // 8))


def _font(size: float) -> Font:
    return ImageFont.load_default(size)
