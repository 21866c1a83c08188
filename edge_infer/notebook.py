"""A prediction as HTML for notebooks: evidence over the scan, decision, a bar for each class, notice.

Self-contained: the image is embedded and nothing is fetched. Styles are inline, since notebooks remove style sheets,
and colours are the notebook's, light or dark.
"""

import base64
import html
import io

from PIL import Image

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.heatmap import draw_evidence, words_for_negative
from edge_infer.names import shown_name
from edge_infer.prediction import Prediction, shown_classes

__all__ = ["prediction_html"]

_LONGER_SIDE = 320
_FLAT_GREY = 128
_CELL = "padding:.2em .8em .2em 0;border:0;background:none;text-align:left"
_SMALL = "margin:.4em 0 0;font-size:.9em;text-align:left"


def prediction_html(prediction: Prediction) -> str:
    """Render one prediction as HTML; every name in it is escaped."""
    width, height = _size(prediction)
    source, label = _text(prediction.source), _text(prediction.label)
    over = "over the scan as the model saw it" if prediction.seen is not None else "alone"
    notes = "".join(f'<p style="{_SMALL}">Note: {_text(x)}</p>' for x in prediction.warnings)
    shown, more = shown_classes(prediction.probabilities)
    rows = "".join(_row(prediction, name) for name in shown) + _more_row(more)
    of_what = " of a tumour" if prediction.classes.is_brain else ""
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
        f'<figure style="margin:0;max-width:{_LONGER_SIDE}px">'
        f'<img src="data:image/png;base64,{_drawn(prediction, (width, height))}" width="{width}" '
        f'height="{height}" alt="Evidence for {label} {over}: {source}">'
        f'<figcaption style="{_SMALL}">Evidence for {label} {over}: {_colours(prediction)}. '
        f"This is not an outline{of_what}.{_why_alone(prediction)}</figcaption></figure>"
        '<div style="flex:1 1 20em;min-width:0;max-width:32em">'
        '<p style="margin:0 0 .6em;overflow-wrap:anywhere;text-align:left">'
        f"{source}: {_answer(prediction)}</p>"
        '<table style="border-collapse:collapse;margin:0">'
        '<caption style="text-align:left;caption-side:top;padding:0;color:inherit;font-size:.9em">'
        f"Probability of each class{_not_accepted(prediction)}</caption>"
        f'<thead><tr><th scope="col" style="{_CELL}">Class</th>'
        f'<th scope="col" colspan="2" style="{_CELL}">Probability</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{notes}"
        f'<p style="{_SMALL}">Model: {_text(prediction.model.name)}, '
        f"{_text(prediction.model.precision)}</p>"
        f'<p style="{_SMALL}"><strong>{_text(RESEARCH_USE_ONLY)}</strong></p></div></div>'
    )


def _answer(prediction: Prediction) -> str:
    """Return the decision, then the class."""
    label, words = _text(prediction.label), _text(prediction.decision_words)
    if prediction.is_accepted:
        return f"{words}: <strong>{label}</strong> ({prediction.score:.1%})"
    return f"<strong>{words}</strong>; nearest answer {label} ({prediction.score:.1%})"


def _not_accepted(prediction: Prediction) -> str:
    if prediction.is_accepted:
        return ""
    words = prediction.undecided_words
    return ", not accepted" + (f"; {html.escape(words)}" if words else "")


def _size(prediction: Prediction) -> tuple[int, int]:
    """Return (width, height) with the proportions of the image; the model sees it stretched to a square."""
    width, height = prediction.source_size or prediction.evidence.shape[:0:-1]
    scale = _LONGER_SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _drawn(prediction: Prediction, size: tuple[int, int]) -> str:
    """Return a PNG in base64."""
    seen = prediction.seen
    scan = Image.new("L", size, _FLAT_GREY) if seen is None else Image.fromarray(seen)
    label_id = list(prediction.probabilities).index(prediction.label)
    file = io.BytesIO()
    classes = prediction.classes
    drawn = draw_evidence(scan, prediction.evidence, label_id, size, classes=classes)
    drawn.save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _colours(prediction: Prediction) -> str:
    if prediction.is_negative:  # it has no place: edge_infer.heatmap
        return words_for_negative(prediction)
    return "red supports it, blue opposes it"


def _row(prediction: Prediction, label: str) -> str:
    probability = prediction.probabilities[label]
    weight = "bold" if label == prediction.label else "normal"
    bar = f"height:.8em;width:{probability:.1%};background:currentColor;opacity:.6"
    return (
        f'<tr style="background:none"><th scope="row" style="{_CELL};font-weight:{weight}">{_text(label)}</th>'
        f'<td style="{_CELL};font-weight:{weight}">{probability:.1%}</td>'
        f'<td aria-hidden="true" style="{_CELL};width:10em"><div style="{bar}"></div></td></tr>'
    )


def _more_row(more: int) -> str:
    words = f"and {more} more"
    return f'<tr><td colspan="3" style="{_CELL}">{words}</td></tr>' if more else ""


def _why_alone(prediction: Prediction) -> str:
    return "" if prediction.seen is not None else " Only predictions from predict() keep the scan."


def _text(text: str) -> str:
    return html.escape(shown_name(text))
