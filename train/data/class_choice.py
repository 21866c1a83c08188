"""What is asked of a data set's classes: by the options --classes and --negative, or by the model that is measured."""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from edge_infer.classes import Classes
from edge_infer.errors import DataRefused
from train.data.spelling import spelt

__all__ = ["ClassChoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChoice:
    """Nothing, or the names, the order and the negative class that a data set must have.

    Attributes:
        items: ``FOLDER`` or ``FOLDER=LABEL`` of each class, in order; empty to take the data set's own.
        negative: Label of the negative class; None if it is not asked for.
        model: Classes of a model that is asked about the data set, which must have them; None if there is none.
    """

    items: tuple[str, ...] = ()
    negative: str | None = None
    model: Classes | None = None

    @classmethod
    def of_options(
        cls, classes: str | None, negative: str | None, *, model: Classes | None = None
    ) -> Self:
        """Read the options as typed: ``classes`` is a line of CSV, so a name with a comma is put into quotes.

        Raises:
            DataRefused: An item is empty, or stands there twice.
        """
        items: list[str] = []
        if classes is not None:
            items = [spelt(item) for item in _cells(classes)]
            if not all(items) or not items:
                raise DataRefused(
                    f"--classes {classes!r} has an empty name",
                    hint="write FOLDER or FOLDER=LABEL of each class, with commas between them",
                )
        twice = sorted({item for item in items if items.count(item) > 1})
        if twice:
            raise DataRefused(
                f"--classes names {', '.join(twice)} twice",
                hint="name each folder once; FOLDER=LABEL with the same LABEL joins folders",
            )
        return cls(
            items=tuple(items),
            negative=None if negative is None else spelt(negative),
            model=model,
        )

    def folders(self, known: Collection[str]) -> dict[str, str]:
        """Return the label of each folder, in order.

        Args:
            known: Names that the data set has; one with ``=`` in it is not taken apart.
        """
        return dict(_folder_and_label(item, known) for item in self.items)

    def labels(self, known: Collection[str]) -> tuple[str, ...]:
        """Return the labels, in order; several folders of one label count once."""
        return tuple(dict.fromkeys(self.folders(known).values()))


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], skipinitialspace=True), [])
    except csv.Error as error:
        raise DataRefused(
            f"--classes {line!r} is no line of names ({error})",
            hint="write FOLDER or FOLDER=LABEL of each class, with commas between them",
        ) from error


def _folder_and_label(item: str, known: Collection[str]) -> tuple[str, str]:
    folder, equals, label = item.rpartition("=")
    if item in known or not equals:
        return item, item
    return spelt(folder), spelt(label)
