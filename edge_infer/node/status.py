"""The state of a node in a file, for people and for monitoring: counts and codes, nothing about patients."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.node.notes import now, read_note
from edge_infer.node.spool import STAGES, Round, Spool

__all__ = ["STATUS_FILE", "failures", "read_status", "rounds_with", "stage_counts"]

STATUS_FILE = "status.json"

#: The node writes its status every few seconds; if it is older, the node does not run, or hangs.
_STALE_S = 60.0


def read_status(spool: Path) -> dict[str, Any]:
    """Return what a running node last wrote.

    Raises:
        UnreadableInput: There is no status, or it is old: no node runs.
        DataRefused: It is damaged.
    """
    file = spool / STATUS_FILE
    hint = "start it with brain-node run, and see its log"
    try:
        status = json.loads(file.read_bytes())
        written = float(status["written_at"])
    except FileNotFoundError:
        raise UnreadableInput(f"{shown_name(file)}: no node has run here", hint=hint) from None
    except (ValueError, KeyError, TypeError):
        raise DataRefused(f"{shown_name(file)}: is no status of a node", hint=hint) from None
    if now() - written > _STALE_S or status.get("state") == "stopped":
        age = now() - written
        raise UnreadableInput(
            f"the node does not run: its status is {age:.0f} s old and says {status.get('state')}",
            hint=hint,
        )
    return dict(status)


def failures(spool: Spool) -> dict[str, int]:
    """Return how many studies failed, by code."""
    codes = (read_note(one.folder).get("code", "unknown") for one in spool.rounds("failed"))
    return dict(sorted(Counter(map(str, codes)).items()))


def stage_counts(spool: Spool) -> dict[str, int]:
    """Return how many rounds are in each stage."""
    return {stage: len(spool.rounds(stage)) for stage in STAGES}


def rounds_with(spool: Spool, study_instance_uid: str) -> list[tuple[Round, dict[str, Any]]]:
    """Return the rounds of a study, by its UID, with their notes; empty if it is not here any more."""
    found = []
    for stage in STAGES:
        for one in spool.rounds(stage):
            note = read_note(one.folder)
            if note.get("study_instance_uid") == study_instance_uid:
                found.append((one, note))
    return sorted(found, key=lambda pair: pair[0].number)
