"""The names data sets give to the four brain classes, mapped to the one canonical order.

Other classes keep their names: ``train.data.labelling``.
"""

import re

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused

__all__ = ["canonical_label", "is_brain_class", "label_id"]

# Written without separators and in lower case. Only unambiguous names: "normal", "yes", "no"
# and "other" are left out on purpose, since a wrong guess would mislabel a whole folder.
_ALIASES = {
    "glioma": ("glioma", "gliomas", "gliomatumor", "gliomatumour"),
    "meningioma": ("meningioma", "meningiomas", "meningiomatumor", "meningiomatumour"),
    "no_tumor": ("notumor", "notumors", "notumour", "notumours", "healthy"),
    "pituitary": ("pituitary", "pituitarytumor", "pituitarytumour", "pituitaryadenoma"),
}
_LABEL_OF = {alias: label for label, aliases in _ALIASES.items() for alias in aliases}


def canonical_label(name: str) -> str:
    """Map a folder or class name, such as ``glioma_tumor`` or ``notumor``, to one of ``LABELS``.

    Upper case, spaces, hyphens and underscores do not matter.

    Raises:
        DataRefused: The name is unknown or ambiguous.
    """
    label = _LABEL_OF.get(_plain(name))
    if label is None:
        raise DataRefused(
            f"unknown class {name!r}, expected one of {', '.join(LABELS)}",
            hint="rename the folder or class, or take it out of the data set",
        )
    return label


def label_id(name: str) -> int:
    """Return the class id of a folder or class name; raises like ``canonical_label``."""
    return LABELS.index(canonical_label(name))


def is_brain_class(name: str) -> bool:
    """Whether a folder or class name is one of the four brain classes'."""
    return _plain(name) in _LABEL_OF


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()
