"""When a study is complete, with a clock that the test moves; and what a start after a kill makes of the disk."""

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_infer.node.arrivals import Arrivals, Arrived
from edge_infer.node.config import Complete, Limits
from edge_infer.node.notes import read_note
from edge_infer.node.received import Received
from edge_infer.node.spool import Spool, key_of

KEY, OTHER = key_of("1.2.3", "patient"), key_of("1.2.4", "patient")


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.opened(tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def arrivals(spool: Spool, clock: Clock) -> Arrivals:
    return reopened(spool, clock)


def reopened(spool: Spool, clock: Clock) -> Arrivals:
    return Arrivals(spool, Complete(quiet_s=10, after_abort_s=100), Limits(), clock)


def image(spool: Spool, name: str, content: str = "", series: str = "1.2.3.1") -> Received:
    file = spool.partial / name
    file.write_text(content or name)
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return Received(
        file=file,
        key=KEY,
        name=f"{digest}.dcm",
        study_instance_uid="1.2.3",
        sop_class_uid="1.2",
        series_instance_uid=series,
    )


def test_a_study_is_complete_after_the_end_and_a_quiet_time(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    assert arrivals.store(link, image(spool, "a")) is Arrived.STORED
    clock.time += 1000
    assert arrivals.complete() == []  # the association is open
    arrivals.end(link, well=True)
    clock.time += 9.9
    assert arrivals.complete() == []
    clock.time += 0.2
    (one,) = arrivals.complete()
    assert (one.name, one.stage) == (f"{KEY}.1", "ready")
    assert read_note(one.folder)["images"] == 1
    assert arrivals.complete() == []


def test_a_new_image_begins_the_quiet_time_anew(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    for name in ("a", "b"):
        link = arrivals.begin()  # senders of one image per association
        arrivals.store(link, image(spool, name))
        arrivals.end(link, well=True)
        clock.time += 6
    assert arrivals.complete() == []
    clock.time += 5
    (one,) = arrivals.complete()
    assert read_note(one.folder)["images"] == 2


def test_after_a_break_it_waits_longer_and_then_fails(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=False)
    clock.time += 99
    assert arrivals.complete() == []
    clock.time += 2
    (one,) = arrivals.complete()
    assert one.stage == "failed"
    assert read_note(one.folder)["code"] == "incomplete"


@pytest.mark.parametrize("repeats", [["a"], ["a", "b"], ["b"]])
def test_a_later_association_that_ends_well_mends_a_break(
    arrivals: Arrivals, spool: Spool, clock: Clock, repeats: list[str]
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=False)
    again = arrivals.begin()
    for name in repeats:
        arrivals.store(again, image(spool, name))
    arrivals.end(again, well=True)
    clock.time += 11
    assert [one.stage for one in arrivals.complete()] == ["ready"]


def test_a_later_association_with_other_series_only_leaves_a_warning(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a", series="1.2.3.1"))
    arrivals.end(link, well=False)
    other = arrivals.begin()
    arrivals.store(other, image(spool, "b", series="1.2.3.2"))
    arrivals.end(other, well=True)
    clock.time += 11
    assert arrivals.complete() == []
    clock.time += 90
    (one,) = arrivals.complete()
    assert (one.stage, read_note(one.folder)["was_incomplete"]) == ("ready", True)


def test_a_new_try_after_other_series_takes_the_warning_back(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a", series="1.2.3.1"))
    arrivals.end(link, well=False)
    for name, series in (("b", "1.2.3.2"), ("c", "1.2.3.1")):
        later = arrivals.begin()
        arrivals.store(later, image(spool, name, series=series))
        arrivals.end(later, well=True)
    clock.time += 11
    (one,) = arrivals.complete()
    assert "was_incomplete" not in read_note(one.folder)


def test_a_study_of_which_an_image_was_refused_is_not_taken_for_whole(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.refused(link, image(spool, "b"))
    arrivals.store(link, image(spool, "c"))
    arrivals.end(link, well=True)
    clock.time += 11
    assert arrivals.complete() == []
    clock.time += 90
    (one,) = arrivals.complete()
    assert (one.stage, read_note(one.folder)["code"]) == ("failed", "incomplete")


@pytest.mark.parametrize("is_known", [True, False])
def test_the_first_image_may_be_the_one_that_was_refused(
    arrivals: Arrivals, spool: Spool, clock: Clock, is_known: bool
) -> None:
    if is_known:
        first = arrivals.begin()
        arrivals.store(first, image(spool, "x"))
        arrivals.end(first, well=True)
    link = arrivals.begin()
    arrivals.refused(link, image(spool, "a"))
    if not is_known:
        arrivals.store(link, image(spool, "b"))
    arrivals.end(link, well=True)
    clock.time += 11
    assert arrivals.complete() == []
    again = arrivals.begin()
    for name in ("a", "b"):
        arrivals.store(again, image(spool, name))
    arrivals.end(again, well=True)
    clock.time += 11
    assert [one.stage for one in arrivals.complete()] == ["ready"]


def test_late_images_find_those_of_a_round_that_moves_meanwhile(
    arrivals: Arrivals, spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    for name in ("a", "b", "c"):
        arrivals.store(link, image(spool, name))
    arrivals.end(link, well=True)
    clock.time += 11
    (first,) = arrivals.complete()
    late = arrivals.begin()
    arrivals.store(late, image(spool, "d"))
    arrivals.end(late, well=True)
    clock.time += 11
    real = os.link

    def link_and_move(*args: Any, **options: Any) -> None:
        real(*args, **options)
        if first.folder.exists():
            spool.move(first, "results")

    monkeypatch.setattr(os, "link", link_and_move)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, link_and_move})
    (second,) = arrivals.complete()
    assert len(list(second.images.iterdir())) == 4


@pytest.mark.parametrize("ends_first", [False, True], ids=["open", "ended"])
def test_a_break_that_a_slow_node_notices_late_is_mended_by_the_new_try(
    arrivals: Arrivals, spool: Spool, clock: Clock, ends_first: bool
) -> None:
    slow = arrivals.begin()
    for name in "ab":
        arrivals.hear(slow)
        arrivals.store(slow, image(spool, name))
    # Its sender has lost patience while b was written, and begins anew.
    again = arrivals.begin()
    for name in "abc":
        arrivals.hear(again)
        arrivals.store(again, image(spool, name))
    for link in (again, slow) if ends_first else (slow, again):
        arrivals.end(link, well=link is again)
    clock.time += 10.1
    (one,) = arrivals.complete()
    assert (one.stage, read_note(one.folder).get("was_incomplete")) == ("ready", None)
    assert not list(one.folder.glob("open-*")) + list(one.folder.glob("broken-*"))


def test_a_new_try_may_be_faster_than_the_image_of_which_the_sender_lost_patience(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    slow = arrivals.begin()
    arrivals.hear(slow)  # and now the disk is busy
    again = arrivals.begin()
    for name in "ab":
        arrivals.hear(again)
        arrivals.store(again, image(spool, name))
    arrivals.end(again, well=True)
    assert arrivals.store(slow, image(spool, "a")) is Arrived.DUPLICATE
    arrivals.end(slow, well=False)
    clock.time += 10.1
    assert [one.stage for one in arrivals.complete()] == ["ready"]


def test_a_part_that_is_sent_at_the_same_time_mends_no_break(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    broken = arrivals.begin()
    arrivals.hear(broken)
    arrivals.store(broken, image(spool, "a"))
    third, other = arrivals.begin(), arrivals.begin()
    for link in (third, other, other):  # b comes three times, and is none of the broken one's
        arrivals.hear(link)
        arrivals.store(link, image(spool, "b"))
    arrivals.end(broken, well=False)
    for link in (third, other):
        arrivals.end(link, well=True)
    clock.time += 100.1
    assert [one.stage for one in arrivals.complete()] == ["failed"]


def test_an_association_into_another_study_mends_nothing(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=False)
    arrivals.end(arrivals.begin(), well=True)
    clock.time += 11
    assert arrivals.complete() == []


def test_after_a_kill_a_study_that_was_open_waits_longer_and_is_marked(
    spool: Spool, arrivals: Arrivals, clock: Clock
) -> None:
    arrivals.store(arrivals.begin(), image(spool, "a"))
    after = reopened(reopened(spool, clock)._spool, clock)  # killed twice
    clock.time += 11
    assert after.complete() == []
    clock.time += 90
    (one,) = after.complete()
    assert one.stage == "ready"
    assert read_note(one.folder)["was_incomplete"]


def test_a_new_try_after_a_kill_is_a_whole_study(
    spool: Spool, arrivals: Arrivals, clock: Clock
) -> None:
    arrivals.store(arrivals.begin(), image(spool, "a"))
    after = reopened(spool, clock)
    again = after.begin()
    assert after.store(again, image(spool, "a")) is Arrived.DUPLICATE
    after.end(again, well=True)
    clock.time += 11
    (one,) = after.complete()
    assert "was_incomplete" not in read_note(one.folder)
    assert [path.name for path in one.folder.iterdir() if "-" in path.name] == []


def test_a_break_before_a_kill_is_still_a_break(
    spool: Spool, arrivals: Arrivals, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=False)
    after = reopened(spool, clock)
    clock.time += 101
    assert [one.stage for one in after.complete()] == ["failed"]


def test_a_kill_after_the_end_is_none(spool: Spool, arrivals: Arrivals, clock: Clock) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    after = reopened(spool, clock)
    clock.time += 11
    assert [one.stage for one in after.complete()] == ["ready"]


def test_a_study_without_an_image_is_swept_at_the_start(spool: Spool, clock: Clock) -> None:
    (spool.incoming / KEY / "images").mkdir(parents=True)
    assert len(reopened(spool, clock)) == 0
    assert list(spool.incoming.iterdir()) == []


def test_the_same_image_is_kept_once(arrivals: Arrivals, spool: Spool) -> None:
    link = arrivals.begin()
    assert arrivals.store(link, image(spool, "a")) is Arrived.STORED
    assert arrivals.store(link, image(spool, "a")) is Arrived.DUPLICATE
    assert arrivals.store(link, image(spool, "a", "other content")) is Arrived.DIFFERS
    (kept,) = (spool.incoming / KEY / "images").iterdir()
    assert kept.read_text() == "a"
    assert list(spool.partial.iterdir()) == []


def test_late_images_join_the_earlier_ones_in_a_second_round(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    rounds = []
    for name in ("a", "b"):
        link = arrivals.begin()
        arrivals.store(link, image(spool, name))
        arrivals.end(link, well=True)
        clock.time += 11
        rounds += arrivals.complete()
    assert [one.number for one in rounds] == [1, 2]
    assert [len(list(one.images.iterdir())) for one in rounds] == [1, 2]
    assert read_note(rounds[1].folder)["late_images"] == 1
    assert spool.used_bytes() < 1200  # the shared file counts once; the rest are notes


def test_of_an_answered_study_duplicates_are_dropped_and_of_a_failed_one_they_are_not(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    clock.time += 11
    (one,) = arrivals.complete()
    assert arrivals.store(arrivals.begin(), image(spool, "a")) is Arrived.DUPLICATE
    assert KEY not in arrivals
    spool.move(one, "failed")
    assert arrivals.store(arrivals.begin(), image(spool, "a")) is Arrived.STORED


def test_the_key_shows_neither_uid_nor_patient_and_tells_patients_apart() -> None:
    assert key_of("1.2.3", "DOE") == key_of("1.2.3", "DOE") != key_of("1.2.3", "ROE")
    assert len(KEY) == 16
    assert "1.2.3" not in KEY


def test_a_full_disk_at_the_end_of_an_association_keeps_no_study_open(
    arrivals: Arrivals, spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.marks.flush_folder", full)
        with pytest.raises(OSError, match="full"):
            arrivals.end(link, well=True)
    clock.time += 11
    assert [one.stage for one in arrivals.complete()] == ["ready"]


def test_an_image_that_could_not_be_written_is_refused_and_leaves_no_empty_study(
    arrivals: Arrivals, spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.marks.flush_folder", full)
        with pytest.raises(OSError, match="full"):
            arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    clock.time += 11
    assert arrivals.complete() == []
    assert list(spool.incoming.iterdir()) == []
    again = arrivals.begin()
    assert arrivals.store(again, image(spool, "a")) is Arrived.STORED


def full(_folder: object) -> None:
    raise OSError(28, "full")


@pytest.mark.parametrize("is_open", [True, False])
def test_a_study_whose_folder_vanished_is_dropped_and_holds_up_no_other(
    arrivals: Arrivals, spool: Spool, clock: Clock, is_open: bool
) -> None:
    links = arrivals.begin(), arrivals.begin()
    arrivals.store(links[0], image(spool, "a"))
    arrivals.store(links[1], dataclasses.replace(image(spool, "b"), key=OTHER))
    for link in links[is_open:]:
        arrivals.end(link, well=True)
    shutil.rmtree(spool.incoming / KEY)
    clock.time += 11
    assert [one.key for one in arrivals.complete()] == [OTHER]
    assert KEY not in arrivals


def test_what_an_open_association_sends_after_its_study_was_dropped_is_not_taken_for_whole(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    shutil.rmtree(spool.incoming / KEY)
    assert arrivals.complete() == []
    assert arrivals.store(link, image(spool, "b")) is Arrived.STORED
    arrivals.end(link, well=True)
    clock.time += 101
    (one,) = arrivals.complete()
    assert (one.stage, read_note(one.folder)["code"]) == ("failed", "incomplete")


def test_a_study_whose_folder_is_back_is_no_whole_if_an_association_broke_off_meanwhile(
    arrivals: Arrivals, spool: Spool, clock: Clock, tmp_path: Path
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    (spool.incoming / KEY).rename(tmp_path / "away")
    assert arrivals.complete() == []
    arrivals.end(link, well=False)
    (tmp_path / "away").rename(spool.incoming / KEY)
    clock.time += 31
    assert arrivals.complete() == []
    clock.time += 101
    (one,) = arrivals.complete()
    assert (one.stage, read_note(one.folder)["code"]) == ("failed", "incomplete")


def test_a_study_that_somebody_put_back_late_is_taken_up_by_its_next_image(
    arrivals: Arrivals, spool: Spool, clock: Clock, tmp_path: Path
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    (spool.incoming / KEY).rename(tmp_path / "away")
    for _ in range(2):
        clock.time += 31
        assert arrivals.complete() == []
    (tmp_path / "away").rename(spool.incoming / KEY)
    again = arrivals.begin()
    assert arrivals.store(again, image(spool, "a")) is Arrived.DUPLICATE
    arrivals.end(again, well=True)
    clock.time += 101
    assert [one.key for one in arrivals.complete()] == [KEY]


def test_a_study_that_cannot_be_moved_on_holds_up_no_other_and_is_tried_again(
    arrivals: Arrivals, spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.store(link, dataclasses.replace(image(spool, "b"), key=OTHER))
    arrivals.end(link, well=True)
    clock.time += 11

    def flush(folder: Path) -> None:
        if KEY in str(folder):
            full(folder)

    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.arrivals.flush_folder", flush)
        assert [one.key for one in arrivals.complete()] == [OTHER]
    assert arrivals.complete() == []  # not at once
    clock.time += 31
    assert [one.key for one in arrivals.complete()] == [KEY]


def test_what_cannot_be_read_at_the_start_holds_up_nothing_and_is_tried_again(
    arrivals: Arrivals, spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    (spool.incoming / "no study").touch()
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.arrivals.take_over_marks", full)
        after = reopened(spool, clock)
        with pytest.raises(OSError, match="full"):  # what is known of it must not be lost
            after.store(after.begin(), image(spool, "b"))
    clock.time += 31
    assert after.complete() == []
    clock.time += 11
    assert [one.stage for one in after.complete()] == ["ready"]
    assert [path.name for path in spool.incoming.iterdir()] == ["no study"]


def test_a_study_whose_folder_could_not_be_made_is_made_with_the_next_image(
    arrivals: Arrivals, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.arrivals.flush_folder", full)
        with pytest.raises(OSError, match="full"):
            arrivals.store(link, image(spool, "a"))
    arrivals.refused(link, image(spool, "a"))
    shutil.rmtree(spool.incoming / KEY)
    assert arrivals.store(link, image(spool, "b")) is Arrived.STORED
    names = {path.name.partition("-")[0] for path in (spool.incoming / KEY).iterdir()}
    assert names == {"images", "note.json", "open"}


@pytest.mark.parametrize("is_sent_again", [False, True])
@pytest.mark.parametrize("is_killed", [False, True])
def test_an_image_refused_while_its_study_cannot_be_read_counts_as_a_break(
    arrivals: Arrivals,
    spool: Spool,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    is_sent_again: bool,
    is_killed: bool,
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.arrivals.take_over_marks", full)
        after = reopened(spool, clock)
        late = after.begin()
        with pytest.raises(OSError, match="full"):
            after.store(late, image(spool, "b"))
        after.refused(late, image(spool, "b"))
        after.end(late, well=True)
    clock.time += 31
    assert after.complete() == []
    if is_killed:
        after = reopened(spool, clock)
    if is_sent_again:
        again = after.begin()
        after.store(again, image(spool, "b"))
        after.end(again, well=True)
    clock.time += 11
    assert [one.stage for one in after.complete()] == (["ready"] if is_sent_again else [])
    clock.time += 90
    assert [one.stage for one in after.complete()] == ([] if is_sent_again else ["failed"])


def test_while_all_of_the_spool_is_away_no_study_is_forgotten(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    away = spool.incoming.rename(spool.folder / "away")
    assert arrivals.complete() == []
    away.rename(spool.incoming)
    clock.time += 31
    assert [one.stage for one in arrivals.complete()] == ["ready"]


def test_what_is_left_of_the_last_run_is_not_forgotten_while_the_spool_is_away(
    arrivals: Arrivals, spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.arrivals.take_over_marks", full)
        after = reopened(spool, clock)
    away = spool.incoming.rename(spool.folder / "away")
    clock.time += 31
    assert after.complete() == []
    away.rename(spool.incoming)
    clock.time += 31
    assert after.complete() == []
    clock.time += 11
    assert [one.stage for one in after.complete()] == ["ready"]


def test_a_dropped_study_whose_folder_is_back_is_taken_up(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    away = (spool.incoming / KEY).rename(spool.folder / "away")
    assert arrivals.complete() == []
    assert KEY not in arrivals
    away.rename(spool.incoming / KEY)
    clock.time += 31
    assert arrivals.complete() == []
    clock.time += 11
    assert [one.stage for one in arrivals.complete()] == ["ready"]


def test_what_is_left_of_a_dropped_study_is_removed_later(
    arrivals: Arrivals, spool: Spool, clock: Clock
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    arrivals.end(link, well=True)
    shutil.rmtree(spool.incoming / KEY / "images")
    for _ in range(2):
        assert arrivals.complete() == []
        clock.time += 31
    assert list(spool.incoming.iterdir()) == []


@pytest.mark.parametrize("is_killed", [False, True], ids=["broken", "cut"])
def test_what_was_noted_before_a_failed_move_is_taken_back_if_the_study_is_whole_by_then(
    arrivals: Arrivals,
    spool: Spool,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    is_killed: bool,
) -> None:
    link = arrivals.begin()
    arrivals.store(link, image(spool, "a"))
    if is_killed:
        arrivals = reopened(spool, clock)
    else:
        arrivals.end(link, well=False)
    clock.time += 101
    with monkeypatch.context() as patched:
        patched.setattr("edge_infer.node.arrivals.flush_folder", full)
        assert arrivals.complete() == []
    again = arrivals.begin()
    arrivals.store(again, image(spool, "a"))
    arrivals.end(again, well=True)
    clock.time += 42
    (one,) = arrivals.complete()
    assert one.stage == "ready"
    assert not {"code", "failed_at", "message", "was_incomplete"} & set(read_note(one.folder))
