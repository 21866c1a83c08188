"""The error that matters most: the negative class, which says that nothing is there, answered where something is.

Its key in metrics.json and its words, in one place. Without a negative class there is no such figure.
"""

from collections.abc import Mapping
from typing import Any

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import DataRefused

__all__ = [
    "classes_of_metrics",
    "missed_figure",
    "missed_in",
    "missed_key",
    "missed_words",
    "needs_negative",
    "negative_field",
    "negative_in",
]

_BRAIN_KEY, _KEY = "tumor_called_no_tumor", "positive_called_negative"
#: As in config.json, which ``Classes.from_config`` reads.
_FIELD = "negative_label"


def missed_key(classes: Classes) -> str:
    """Return the figure's key in metrics.json; that of the four brain classes is older than other classes."""
    return _BRAIN_KEY if classes.is_brain else _KEY


def missed_words(classes: Classes) -> str:
    """Return the figure's name in words, such as ``tumour called no_tumor``."""
    return f"tumour called {classes.negative}" if classes.is_brain else _words(classes.negative)


def _words(negative: str | None) -> str:
    return f"another class called {negative}"


def missed_in(result: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return key and words of the figure in a saved result.

    Args:
        result: With ``negative_field`` in it.

    Returns:
        None if its classes have no negative one.
    """
    negative = negative_in(result)
    if _FIELD not in result:
        return missed_key(BRAIN), missed_words(BRAIN)
    return None if negative is None else (_KEY, _words(negative))


def negative_in(result: Mapping[str, Any]) -> str | None:
    """Return the negative class of a saved result, as in ``missed_in``."""
    negative: str | None = result.get(_FIELD, BRAIN.negative)
    return negative


def missed_figure(metrics: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """Return words and figure of what ``classification_metrics`` computed; None without a negative class."""
    key, words = missed_in(metrics) or ("", "")
    return (words, metrics[key]) if key in metrics else None


def negative_field(classes: Classes) -> dict[str, Any]:
    """Return the field of a result that tells the negative class; none for the four brain classes."""
    return {} if classes.is_brain else {_FIELD: classes.negative}


def classes_of_metrics(metrics: Mapping[str, Any]) -> Classes:
    """Return the classes that metrics were computed of.

    Args:
        metrics: What ``classification_metrics`` returned.

    Raises:
        KeyError: They lack the confusion matrix.
        ValueError: Its labels are no classes.
    """
    return Classes.from_config(metrics["confusion_matrix"]["labels"], metrics)


def needs_negative(classes: Classes, what: str) -> int:
    """Return the class id of the negative class.

    Args:
        classes: Of the model or the data set.
        what: What needs one, for the message.

    Raises:
        DataRefused: No class is the negative one.
    """
    if classes.negative_id is None:
        raise DataRefused(
            f"{what} needs a class that says that nothing is there, and none of {', '.join(classes.names)} is named "
            "as such",
            hint="name it with --negative LABEL when you divide the data set and train",
        )
    return classes.negative_id
