"""All slices of a series in one image: in order, with the evidence over them, and the finding in words above."""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from edge_infer.classes import Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.heatmap import draw_evidence, draw_heatmap, fitting
from edge_infer.names import shown_name
from edge_infer.prediction import Prediction
from edge_infer.scan_slice import Plane
from edge_infer.series.result import SeriesResult, SliceAnswer, SliceState
from edge_infer.series.text import finding_words, series_words, taken_for

__all__ = ["ContactSheet"]

#: Side of a thumbnail in pixels, by the number of slices that it is for.
_SIDES = ((1, 384), (12, 224), (40, 176), (120, 144), (300, 112), (700, 88))
_SMALLEST = 64
#: Of a series of more, every second slice is shown, or every third, and so on.
_MOST = 1600
_WIDE = 1.5  # width over height, about

_BACKGROUND, _CELL = (18, 18, 20), (30, 30, 34)
_BRIGHT, _DIM, _FAINT = (240, 240, 240), (178, 178, 184), (132, 132, 138)
_TUMOUR, _HEALTHY = (240, 112, 86), (150, 190, 225)
_DIMMED = 0.35
#: The side of the patient that is left, as a radiologist sees the plane: right, or front.
_LEFT_SIDES: dict[Plane, str] = {"axial": "R", "coronal": "R", "sagittal": "A"}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]


class ContactSheet:
    """Keeps small copies of slices as they pass by, and draws them once there are answers.

    Args:
        slices: How many the series has.
    """

    def __init__(self, slices: int) -> None:
        self._every = max(1, math.ceil(slices / _MOST))
        shown = math.ceil(slices / self._every)
        self.side = next((side for most, side in _SIDES if shown <= most), _SMALLEST)
        self._small: dict[int, Image.Image] = {}
        self._is_alone = slices == 1
        self._only: Image.Image | None = None

    def add(self, index: int, image: Image.Image) -> None:
        """Keep a small copy of a slice.

        Args:
            index: From 0, in the order of the series.
            image: Mode ``L``.
        """
        if self._is_alone:
            self._only = image
        if index % self._every == 0:
            scale = self.side / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            self._small[index] = image.resize(size, Image.Resampling.LANCZOS)

    def draw(self, result: SeriesResult) -> Image.Image:
        """Return the sheet, mode RGB; of a slice alone, its heatmap.

        Args:
            result: Of the series whose slices were added.
        """
        outcome = result.slices[0].outcome if self._is_alone else None
        if self._only is not None and outcome is not None and outcome.prediction is not None:
            return _alone(self._only, outcome.prediction, result)
        answers = result.slices[:: self._every]
        plan = _Plan.of(self.side, len(answers))
        head = _head(result, plan.width, self._every)
        foot = _foot(plan.width, result.classes, has_red=_has_positive(answers))
        sheet = Image.new("RGB", (plan.width, head.height + plan.height + foot.height), _BACKGROUND)
        sheet.paste(head, (0, 0))
        for place, answer in enumerate(answers):
            cell = _cell(answer, self._small.get(answer.number - 1), plan, result)
            left, top = plan.corner(place)
            sheet.paste(cell, (left, head.height + top))
        sheet.paste(foot, (0, head.height + plan.height))
        return sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Where cells lie, in pixels."""

    side: int
    columns: int
    rows: int
    gap: int
    text: int

    @classmethod
    def of(cls, side: int, count: int) -> "_Plan":
        line = round(max(9.0, side / 11) * 1.35)
        text = 2 * line + 6 if side > _SMALLEST else 6
        gap = max(4, side // 20)
        columns = math.ceil(math.sqrt(_WIDE * count * (side + text + gap) / (side + gap)))
        least = math.ceil(640 / (side + gap))  # room for the words above
        columns = max(min(columns, count), min(least, max(count, least)))
        return cls(side=side, columns=columns, rows=math.ceil(count / columns), gap=gap, text=text)

    @property
    def width(self) -> int:
        return self.columns * (self.side + self.gap) + self.gap

    @property
    def height(self) -> int:
        return self.rows * (self.side + self.text + self.gap) + self.gap

    def corner(self, place: int) -> tuple[int, int]:
        row, column = divmod(place, self.columns)
        left = self.gap + column * (self.side + self.gap)
        return left, self.gap + row * (self.side + self.text + self.gap)


def _cell(
    answer: SliceAnswer, small: Image.Image | None, plan: _Plan, result: SeriesResult
) -> Image.Image:
    side = plan.side
    cell = Image.new("RGB", (side, side + plan.text), _CELL)
    prediction = answer.outcome.prediction if answer.outcome else None
    draw = ImageDraw.Draw(cell)
    if small is not None:
        drawn = _drawn(small, prediction, answer)
        cell.paste(drawn, ((side - small.width) // 2, (side - small.height) // 2))
    else:
        draw.line((0, 0, side - 1, side - 1), fill=_FAINT)
        draw.line((0, side - 1, side - 1, 0), fill=_FAINT)
    if small is not None:
        _mark(draw, answer, (side - small.width) // 2, side // 2, side)
    draw.rectangle((0, side, side - 1, side + 3), fill=_BACKGROUND)
    if prediction is not None:
        colour = _TUMOUR if prediction.is_accepted else _FAINT
        present = prediction.positive_probability
        length = prediction.score if present is None else present
        draw.rectangle((0, side, round(length * (side - 1)), side + 3), fill=colour)
    if side > _SMALLEST:
        _caption(draw, answer, prediction, plan)
    if _is_scored(answer, result):
        draw.rectangle((0, 0, side - 1, side + plan.text - 1), outline=_TUMOUR, width=2)
    return cell


def _drawn(small: Image.Image, prediction: Prediction | None, answer: SliceAnswer) -> Image.Image:
    if prediction is not None:
        row = list(prediction.probabilities).index(prediction.label)
        classes = prediction.classes
        return draw_evidence(small, prediction.evidence, row, small.size, classes=classes)
    if answer.state is SliceState.END_SLICE:
        return small.point([round(level * _DIMMED) for level in range(256)]).convert("RGB")
    return small.convert("RGB")


def _mark(
    draw: ImageDraw.ImageDraw, answer: SliceAnswer, left: int, middle: int, side: int
) -> None:
    """Write which side of the patient is on the left of a slice, where that is known."""
    lies = answer.slice.geometry
    if lies is None:
        return
    draw.text(
        (left + max(2, side // 48), middle),
        _LEFT_SIDES[lies.plane],
        fill=_BRIGHT,
        font=ImageFont.load_default(max(9.0, side / 14)),
        anchor="lm",
        stroke_width=1,
        stroke_fill=(0, 0, 0),
    )


def _alone(seen: Image.Image, prediction: Prediction, result: SeriesResult) -> Image.Image:
    """Draw a slice that is a series alone: its heatmap, its side, and which series it is."""
    drawn = draw_heatmap(seen, prediction)
    middle = seen.height * drawn.width // seen.width // 2
    _mark(ImageDraw.Draw(drawn), result.slices[0], 0, middle, drawn.width)
    size, margin = 14.0, 10
    font, step = ImageFont.load_default(size), round(1.4 * size)
    lines = _wrapped(series_words(result), font, drawn.width - 2 * margin)
    whole = Image.new("RGB", (drawn.width, drawn.height + len(lines) * step + margin), _BACKGROUND)
    whole.paste(drawn, (0, 0))
    draw = ImageDraw.Draw(whole)
    for number, line in enumerate(lines):
        draw.text((margin, drawn.height + number * step), line, fill=_DIM, font=font)
    return whole


def _caption(
    draw: ImageDraw.ImageDraw, answer: SliceAnswer, prediction: Prediction | None, plan: _Plan
) -> None:
    size = max(9.0, plan.side / 11)
    font, line, margin = ImageFont.load_default(size), round(size * 1.35), 5
    top = plan.side + 5
    lies = answer.slice.geometry
    draw.text((margin, top), f"{answer.number}", fill=_DIM, font=font)
    right = plan.side - margin
    if lies is not None:
        words = f"{lies.position_mm:.1f} mm"
        draw.text((right, top), words, fill=_FAINT, font=font, anchor="ra")
    top += line
    words, colour = _answer_words(answer, prediction)
    room = plan.side - 2 * margin
    if prediction is not None:
        score = f"{prediction.score:.0%}"
        draw.text((right, top), score, fill=colour, font=font, anchor="ra")
        room -= round(draw.textlength(f"{score} ", font=font))
    draw.text((margin, top), fitting(words, font, room), fill=colour, font=font)


def _answer_words(answer: SliceAnswer, prediction: Prediction | None) -> tuple[str, Colour]:
    if answer.state is SliceState.END_SLICE:
        return "end slice", _FAINT
    if prediction is None:
        return "failed", _TUMOUR
    name = shown_name(prediction.label)
    if not prediction.is_accepted:
        return f"? {name}", _FAINT
    if prediction.negative_label is None:
        return name, _BRIGHT
    return name, _HEALTHY if prediction.is_negative else _TUMOUR


def _is_scored(answer: SliceAnswer, result: SeriesResult) -> bool:
    """Whether a slice is of the run that a finding of tumour evidence rests on."""
    if result.finding != "tumour_evidence" or result.scored is None:
        return False
    return (
        result.scored[0] <= answer.number <= result.scored[1]
        and answer.state is SliceState.CLASSIFIED
    )


def _has_positive(answers: tuple[SliceAnswer, ...]) -> bool:
    predictions = [one.outcome.prediction for one in answers if one.outcome]
    return any(one is not None and not one.is_negative for one in predictions)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _head(result: SeriesResult, width: int, every: int) -> Image.Image:
    size, margin = _text_size(width), 10
    large, small = ImageFont.load_default(1.5 * size), ImageFont.load_default(size)
    colour = _TUMOUR if result.finding == "tumour_evidence" else _BRIGHT
    parts: list[tuple[str, Font, Colour]] = [
        # Not its number, which other series of the study decide: the same series gives the same sheet.
        (_capital(finding_words(result)), large, colour),
        (f"{series_words(result)}: {taken_for(result)}", small, _DIM),
    ]
    if result.rule:
        parts.append((f"Rule: {result.rule}", small, _FAINT))
    parts += [(f"Note: {shown_name(words)}", small, _DIM) for words in result.warnings]
    if every > 1:
        parts.append((f"One slice in {every} is shown", small, _DIM))
    lines = [
        (line, font, fill)
        for words, font, fill in parts
        for line in _wrapped(words, font, width - 2 * margin)
    ]
    steps = [round(size * (2.1 if font is large else 1.4)) for _, font, _ in lines]
    head = Image.new("RGB", (width, sum(steps) + 2 * margin), _BACKGROUND)
    draw = ImageDraw.Draw(head)
    top = margin
    for (line, font, fill), step in zip(lines, steps, strict=True):
        draw.text((margin, top), line, fill=fill, font=font)
        top += step
    return head


def _foot(width: int, classes: Classes, *, has_red: bool) -> Image.Image:
    size, margin = _text_size(width), 10
    font, step = ImageFont.load_default(size), round(1.4 * size)
    words = _legend(classes, has_red=has_red)
    lines = _wrapped(words[0].upper() + words[1:], font, width - 2 * margin)
    foot = Image.new("RGB", (width, (len(lines) + 1) * step + margin), _BACKGROUND)
    draw = ImageDraw.Draw(foot)
    for number, line in enumerate(lines):
        draw.text((margin, number * step), line, fill=_FAINT, font=font)
    draw.text((margin, len(lines) * step), RESEARCH_USE_ONLY, fill=_BRIGHT, font=font)
    return foot


def _legend(classes: Classes, *, has_red: bool) -> str:
    """Say what colours and bars mean."""
    named, other, any_other = ("class that is named", "another class", "")
    if classes.is_brain:
        named, other, any_other = "tumour that is named", "a tumour", "any tumour"
    elif classes.negative is not None:
        any_other = f"any class but {classes.negative}"
    red = f"red: evidence for the {named}; " if has_red else ""
    under = (
        ""
        if classes.negative is None
        else f", or under {classes.negative} what looks like {other} all the same"
    )
    return (
        f"{red}blue: against it{under}. Colours of two slices "
        f"cannot be compared. The bar is the probability of {any_other or f'the {named}'}. ?: not accepted."
    )


def _text_size(width: int) -> float:
    """Return the size of letters that can be read where a sheet is fitted to a screen."""
    return max(14.0, min(26.0, width / 85))


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
