"""What a campaign is: a promise, an attack that can be repeated by its number, and those who are attacked.

A trial gets what ``prepare`` returned, its number and an empty folder. It returns in a few words what happened
("refused, corrupt"), which is counted, and raises ``Broken`` if the promise did not hold. Any other exception, a death
of the process and a trial that takes longer than ``limit_s`` are failures, too.

The number alone decides what a trial does: trial 712 is the same attack on every machine and on every day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["SUBJECTS", "Broken", "Campaign", "Seen", "Subject"]

#: Who is attacked: our code; our code with the defence taken out, which must fail, else the attack proves nothing;
#: and onnxruntime, Pillow and pydicom as they come.
SUBJECTS = ("ours", "control", "raw")


class Broken(Exception):
    """The promise did not hold; the message says in a short sentence what happened, without a path."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a trial saw, if a word is not enough.

    Attributes:
        kind: What happened, in a few words; there are few different ones.
        figures: Measured values by name and unit ("peak, MB"); of all trials the largest is kept.
        tries: How many single attacks the trial stands for.
    """

    kind: str
    figures: Mapping[str, float] = field(default_factory=dict)
    tries: int = 1


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Somebody who is attacked.

    Attributes:
        trial: ``trial(prepared, number, folder)`` returns a word or ``Seen``, or raises ``Broken``.
        what: Who it is ("Pillow's own open and convert"), or which defence is taken out.
        prepare: Called once in each process with a folder that lives as long as the process.
    """

    trial: Callable[[Any, int, Path], str | Seen]
    what: str
    prepare: Callable[[Path], Any] = lambda _folder: None


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A promise and the attack on it.

    Attributes:
        id: As in the list of campaigns, such as ``R4``.
        title: Two or three words.
        promise: What must hold, one sentence.
        attack: What one trial does, one sentence.
        unit: What is counted, in the plural ("files").
        subjects: By name; ``ours`` and ``control`` always, ``raw`` where a raw stack can be attacked.
        ci: Trials in CI, by subject; a few seconds in all.
        full: Trials of the whole campaign, by subject.
        limit_s: Longest time of one trial; a longer one is a failure.
        prepare_s: Longest time to start a process and prepare.
        chunk: Trials that a process takes at a time.
        processes: Most processes at a time; 1 where trials disturb each other.
        missing: Returns what is needed and not installed here, or None.
        control_share: Smallest share of the control's trials that must fail.
        least: Smallest share of the tries of ours in which something happened, by the beginning of its words: the
            attack must also reach what it is about ("read", "refused").
    """

    id: str
    title: str
    promise: str
    attack: str
    unit: str
    subjects: Mapping[str, Subject]
    ci: Mapping[str, int]
    full: Mapping[str, int]
    limit_s: float = 30.0
    prepare_s: float = 120.0
    chunk: int = 50
    processes: int = 2
    missing: Callable[[], str | None] = lambda: None
    control_share: float = 0.0
    least: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not {"ours", "control"} <= set(self.subjects) <= set(SUBJECTS):
            raise ValueError(f"{self.id}: subjects are {sorted(self.subjects)}, of {SUBJECTS}")
        if not set(self.ci) == set(self.full) == set(self.subjects):
            raise ValueError(f"{self.id}: ci and full name the subjects {sorted(self.subjects)}")
