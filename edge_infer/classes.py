"""The classes a model tells apart, in order, and which of them says that nothing is there.

The four of brain tumours are the default. Any other set travels in config.json, as Hugging Face's ``id2label`` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from edge_infer.contract import LABELS

__all__ = ["BRAIN", "LONGEST_LABEL", "MOST_CLASSES", "NEGATIVE_FIELD", "Classes", "is_label"]

MOST_CLASSES = 100
LONGEST_LABEL = 200

#: Of config.json and of the graph's contract, where the classes are not the default four.
NEGATIVE_FIELD = "negative_label"


@dataclass(frozen=True, slots=True)
class Classes:
    """Names of classes; the index of a name is its class id.

    Attributes:
        names: 2 to 100 different names that can be printed.
        negative: The class that says that nothing is there, such as ``no_tumor``: it has no place in an image, and to
            answer it where something is there is the error that matters most. None if no class is such.

    Raises:
        ValueError: The names or the negative class are none of that.
    """

    names: tuple[str, ...]
    negative: str | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) <= MOST_CLASSES:
            raise ValueError(f"{len(self.names)} classes, expected 2 to {MOST_CLASSES}")
        if not all(map(is_label, self.names)) or len(set(self.names)) != len(self.names):
            raise ValueError("names of classes must differ and be printable")
        if self.negative is not None and self.negative not in self.names:
            raise ValueError(f"negative class {self.negative!r} is none of the classes")

    @classmethod
    def from_config(cls, labels: Sequence[str], config: Mapping[str, Any]) -> Self:
        """Return the classes of a checkpoint or a bundle.

        Args:
            labels: In the order of their ids.
            config: Of config.json. Without a ``negative_label``, that is ``no_tumor`` where there is such a class.

        Raises:
            ValueError: They are no classes.
        """
        default = BRAIN.negative if BRAIN.negative in labels else None
        return cls(tuple(labels), config.get(NEGATIVE_FIELD, default))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def negative_id(self) -> int | None:
        """Class id of the negative class."""
        return None if self.negative is None else self.names.index(self.negative)

    @property
    def is_brain(self) -> bool:
        """Whether these are the four classes of brain tumours."""
        return self == BRAIN

    def config_fields(self) -> dict[str, Any]:
        """Return config.json's fields about classes; of the default four, the same as ever."""
        fields: dict[str, Any] = {
            "id2label": {str(number): name for number, name in enumerate(self.names)},
            "label2id": {name: number for number, name in enumerate(self.names)},
        }
        return fields if self.is_brain else {**fields, NEGATIVE_FIELD: self.negative}


def is_label(value: object) -> bool:
    """Whether a value can be the name of a class: printable, 1 to 200 characters."""
    return isinstance(value, str) and value.isprintable() and 1 <= len(value) <= LONGEST_LABEL


BRAIN = Classes(LABELS, "no_tumor")
