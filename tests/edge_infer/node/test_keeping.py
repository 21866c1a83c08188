"""How long files stay, and how long tries wait."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_infer.errors import OutputLocked
from edge_infer.node.config import Destination, Keep
from edge_infer.node.delivering import Backoff
from edge_infer.node.keeping import tidy
from edge_infer.node.notes import now, update_note
from edge_infer.node.spool import Round, Spool, Stage


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.opened(tmp_path / "spool") as opened:
        yield opened


def finished(spool: Spool, stage: Stage, *, hours: float) -> Round:
    made = spool.incoming / "0123456789abcdef"
    (made / "images").mkdir(parents=True)
    (made / "out").mkdir()
    (made / "images" / "a.dcm").write_text("image")
    ended = {"sent": "sent_at", "failed": "failed_at"}.get(stage, "complete_at")
    update_note(made, **{ended: now() - 3600 * hours})
    return spool.entered(made.name, spool.next_number(made.name), stage, made)


KEEP = Keep(images_h=2, results_h=5, failed_h=3)


@pytest.mark.parametrize(
    ("stage", "hours", "left"),
    [
        ("sent", 1.9, {"images", "out", "note.json"}),
        ("sent", 2.1, {"out", "note.json"}),
        ("sent", 5.1, None),
        ("failed", 2.9, {"images", "out", "note.json"}),
        ("failed", 3.1, None),
        ("ready", 1000, {"images", "out", "note.json"}),
        ("results", 1000, {"images", "out", "note.json"}),
    ],
)
def test_files_stay_as_long_as_they_are_kept(
    spool: Spool, stage: Stage, hours: float, left: set[str] | None
) -> None:
    one = finished(spool, stage, hours=hours)
    tidy(spool, KEEP)
    found = {path.name for path in one.folder.iterdir()} if one.folder.is_dir() else None
    assert found == left


def test_images_may_stay_longer_than_results(spool: Spool) -> None:
    one = finished(spool, "sent", hours=3)
    tidy(spool, Keep(images_h=9, results_h=2))
    assert {path.name for path in one.folder.iterdir()} == {"images", "note.json"}


def test_what_a_kill_has_left_of_images_is_removed(spool: Spool) -> None:
    one = finished(spool, "sent", hours=2.1)
    one.images.rename(one.folder / "images.gone")
    tidy(spool, KEEP)
    assert {path.name for path in one.folder.iterdir()} == {"out", "note.json"}


def test_a_round_that_cannot_be_tidied_holds_up_no_other(spool: Spool) -> None:
    first, second = (finished(spool, "sent", hours=2.1) for _ in range(2))
    (first.folder / "images.gone").touch()  # the images cannot be moved there
    tidy(spool, KEEP)
    assert (first.images.is_dir(), second.images.is_dir()) == (True, False)


def test_what_is_left_of_a_round_that_was_removed_is_no_round_and_is_swept(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = finished(spool, "failed", hours=4)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", broken)
        tidy(spool, KEEP)
    assert not one.folder.exists()
    assert spool.rounds_of(one.key) == []
    (left,) = spool.partial.iterdir()
    os.utime(left, (0, 0))
    tidy(spool, KEEP)
    assert not left.exists()


def broken(*_arguments: object, **_options: object) -> None:
    raise OSError(5, "broken")


def test_a_number_is_not_used_again_while_a_later_round_is_there(spool: Spool) -> None:
    first, second = (finished(spool, "sent", hours=hours) for hours in (9, 1))
    tidy(spool, KEEP)
    assert not first.folder.exists()
    assert [one.name for one in spool.rounds_of(first.key)] == [second.name]
    assert spool.next_number(first.key) == 3


def test_what_is_called_otherwise_in_the_spool_is_left_alone(spool: Spool) -> None:
    for name in ("lost+found", "note.txt", "abc.x", ".hidden.1x"):
        (spool.stage("sent") / name).mkdir()
    tidy(spool, Keep(images_h=0, results_h=0, failed_h=0))
    assert len(list(spool.stage("sent").iterdir())) == 4


def test_a_spool_has_one_node(spool: Spool) -> None:
    with pytest.raises(OutputLocked), Spool.opened(spool.folder):
        pass


def test_waits_grow_to_a_limit_and_end_with_success() -> None:
    time = [0.0]
    wait = Backoff(
        Destination(folder=Path("out"), retry_first_s=5, retry_most_s=60), clock=lambda: time[0]
    )
    assert [wait.failed() for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert wait.left_s == 60
    time[0] += 59
    assert wait.left_s == 1
    wait.worked()
    assert (wait.left_s, wait.failed()) == (0, 5)
