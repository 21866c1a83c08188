"""Which class each folder or class name of a data set is: the four brain classes, or the data set's own."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_infer.classes import BRAIN, LONGEST_LABEL, MOST_CLASSES, Classes, is_label
from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from train.data.class_choice import ClassChoice
from train.data.class_names import canonical_label, is_brain_class
from train.data.spelling import spelt, told_apart
from train.data.stated_classes import StatedClasses

__all__ = ["Labelling", "labelling"]

logger = logging.getLogger(__name__)

_CHOOSE = "--classes FOLDER[=LABEL],... names the classes, and their folders"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """The classes of a data set, and what it calls them.

    Attributes:
        classes: Shared by its samples.
        labels: The label of each name that the data set uses; for the four brain classes, every spelling is known.
    """

    classes: Classes
    labels: Mapping[str, str]

    def id_of(self, name: str) -> int:
        """Return the class id of a folder or class name.

        Raises:
            DataRefused: It is none of the classes.
        """
        label = self.labels.get(spelt(name))
        if label is None and self.classes.is_brain and not self.labels:
            try:
                label = canonical_label(name)
            except DataRefused as error:
                raise DataRefused(error.message, hint=_CHOOSE) from error
        if label is None:
            raise DataRefused(
                f"unknown class {name!r}, expected one of {', '.join(self.labels)}", hint=_CHOOSE
            )
        return self.classes.names.index(label)


def labelling(
    names: Iterable[str], choice: ClassChoice | None = None, *, stated: StatedClasses | None = None
) -> Labelling:
    """Find out which classes a data set has.

    If one of its names is one of the four brain classes', these are the classes, and other names are none. If none is,
    the names themselves are the classes, in sorted order. Names that are spellings of one class are joined, and it is
    said which.

    Args:
        names: Of all its class folders or rows.
        choice: What is asked of them.
        stated: What the data set itself states: a manifest with ``class_id``.

    Raises:
        DataRefused: They cannot be the classes of a data set, or what is asked and what is there contradict.
    """
    choice = choice or ClassChoice()
    names = set(names)
    found = sorted({spelt(name) for name in names})
    if choice.items and stated is None:
        labels = _chosen(found, choice)
    elif stated is not None:
        _check_stated(found, choice, stated.classes)
        labels = {name: name for name in stated.classes.names}
    elif choice.model is not None:
        labels = {} if choice.model.is_brain else {name: name for name in choice.model.names}
    elif not found or any(map(is_brain_class, found)):
        labels = {}
    else:
        labels = _own(found)
    known = Labelling(classes=_classes(labels, choice, stated), labels=labels)
    _say_joined(names, known)
    return known


def _say_joined(names: Iterable[str], known: Labelling) -> None:
    """Say which names are spellings of one class; folders that --classes joins are no spellings."""
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        try:
            label = known.classes.names[known.id_of(name)]
        except DataRefused:
            continue  # said, or left out, by who meets it
        spellings[spelt(name) if known.labels else label].append(name)
    for label, several in spellings.items():
        if len(several) > 1:
            logger.warning(
                "joined: %s are spellings of the class %s",
                " and ".join(map(told_apart, several)),
                shown_name(known.labels.get(label, label)),
            )


def _chosen(found: list[str], choice: ClassChoice) -> dict[str, str]:
    labels = choice.folders(found)
    absent = [name for name in labels if name not in found]
    # A part of a data set may lack classes of the model; what was typed is a slip of the pen.
    if absent and choice.model is None:
        raise DataRefused(
            f"--classes: the data set has no class {', '.join(map(repr, absent))}, it has "
            f"{', '.join(map(repr, found)) or 'none'}",
            hint="check the spelling; FOLDER is the folder's name or the manifest's label",
        )
    return labels


def _own(found: list[str]) -> dict[str, str]:
    folded: dict[str, str] = {}
    for name in found:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise DataRefused(
                f"the classes {other!r} and {name!r} differ in upper case only",
                hint=f"rename one, or join them: --classes {other}={other},{name}={other},...",
            )
    return {name: name for name in found}


def _check_stated(found: list[str], choice: ClassChoice, stated: Classes) -> None:
    known = {"--classes": choice.labels(found), "the model": choice.model and choice.model.names}
    for what, names in known.items():
        if names and names != stated.names:
            raise DataRefused(
                f"the manifest states the classes {', '.join(stated.names)}, {what} {', '.join(names)}",
                hint="leave out --classes, or divide the data set again with brain-data split --classes",
            )


def _classes(
    labels: Mapping[str, str], choice: ClassChoice, stated: StatedClasses | None
) -> Classes:
    names = tuple(dict.fromkeys(labels.values())) or BRAIN.names
    unusable = [name for name in names if not is_label(name)]
    if unusable:
        raise DataRefused(
            f"{', '.join(map(shown_name, unusable))}: cannot be the name of a class, expected 1 to {LONGEST_LABEL} "
            "letters that can be printed",
            hint=_CHOOSE,
        )
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DataRefused(
            f"found {len(names)} classes ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}), expected 2 to "
            f"{MOST_CLASSES}",
            hint="the folder of a data set holds a folder for each class, or such folders in train, val and test",
        )
    if choice.model is not None and choice.model.names != names:
        raise DataRefused(
            f"the classes of the data set are {', '.join(names)}, those of the model {', '.join(choice.model.names)}",
            hint="give a data set with the model's classes, or rename and order them with --classes",
        )
    if choice.model is not None:
        return choice.model
    classes = Classes(names, _negative(names, choice.negative, stated))
    return BRAIN if classes.is_brain else classes


def _negative(
    names: tuple[str, ...], asked: str | None, stated: StatedClasses | None
) -> str | None:
    """Choose the negative class: what is asked for or stated, else ``no_tumor`` if there is such a class."""
    if asked is not None and asked not in names:
        raise DataRefused(
            f"--negative {asked}: is none of the classes {', '.join(names)}",
            hint="check the spelling; it is a label, as after the = of --classes",
        )
    if stated is not None:
        negative = stated.classes.negative
        if asked and stated.says_negative and asked != negative:
            raise DataRefused(
                f"--negative {asked}: the manifest states {negative or 'that no class is negative'}",
                hint="leave out --negative, or divide the data set again with brain-data split --negative",
            )
        return negative or asked
    return asked or (BRAIN.negative if BRAIN.negative in names else None)
