"""Failed studies are taken up again, by hand, also while the node runs: one rename each."""

from collections.abc import Collection
from pathlib import Path

from edge_infer.errors import NoInputs
from edge_infer.names import shown_name
from edge_infer.node.marks import remove_marks, take_over_marks
from edge_infer.node.notes import now, read_note, update_note
from edge_infer.node.spool import OUT, Spool

__all__ = ["retry_failed"]


def retry_failed(folder: Path, names: Collection[str] | None) -> list[str]:
    """Move failed rounds back to where they failed.

    Args:
        folder: Of the spool.
        names: Studies or rounds; None for all. Rounds that a later one has replaced are left where they are: a report
            about a part would arrive after the one about the whole.

    Returns:
        The names of the rounds.

    Raises:
        NoInputs: A name is not among the failed ones, or was replaced by a later round.
    """
    spool = Spool(folder)
    failed = spool.rounds("failed") if spool.stage("failed").is_dir() else []
    known = {one.name for one in failed} | {one.key for one in failed}
    for name in names or ():
        if name not in known:
            raise NoInputs(
                f"{shown_name(name)}: is not among the studies that failed",
                hint=f"they lie in {shown_name(spool.stage('failed'))}",
            )
    answered = {
        (one.key, one.number)
        for stage in ("ready", "results", "sent")
        for one in spool.rounds(stage)
    }
    replaced = {
        one.name
        for one in failed
        if any(key == one.key and number > one.number for key, number in answered)
    }
    for name in names or ():
        if name in replaced:
            raise NoInputs(
                f"{shown_name(name)}: a later round of this study was answered, or will be",
                hint="send the study again for a new one",
            )
    taken = [
        one
        for one in failed
        if (names is None or one.name in names or one.key in names) and one.name not in replaced
    ]
    for one in taken:
        note = read_note(one.folder)
        was_incomplete = note.get("was_incomplete") or note.get("code") == "incomplete"
        broken, cut = take_over_marks(one.folder)
        remove_marks(one.folder, mended=[*broken, *cut])
        is_answered = note.get("answered_at") is not None and (one.folder / OUT).is_dir()
        update_note(
            one.folder,
            code=None,
            message=None,
            failed_at=None,
            crashes=None,
            interruptions=None,
            started_at=None,
            was_incomplete=was_incomplete or None,
            answered_at=now() if is_answered else None,
        )
        spool.move(one, "results" if is_answered else "ready")
    return [one.name for one in taken]
