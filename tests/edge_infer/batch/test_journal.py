"""A journal: whatever its end is like, what is read back was written whole."""

import errno
import json
import os
import time
from pathlib import Path

import pytest

from edge_infer.batch.journal import Journal, JournalSpoiled, JournalWatch, remove_journal
from edge_infer.errors import CannotWrite


def row(number: int) -> dict[str, object]:
    return {"unit": number, "row": 0, "score": 0.1 + number, "source": "\udcff"}


def written(path: Path, *finished: int, begun: int | None = None) -> None:
    with Journal(path, "run") as journal:
        for number in finished:
            journal.start(number)
            journal.finish(number, [row(number)])
        if begun is not None:
            journal.start(begun)


def test_finished_units_come_back_with_their_rows(tmp_path: Path) -> None:
    written(tmp_path / "j", 4, 5, begun=6)
    with Journal(tmp_path / "j", "run") as journal:
        assert journal.finished == {4, 5}
        assert dict(journal.starts) == {6: 1}
        journal.finish(6, [row(6), row(6)])
        assert list(journal.rows([4, 5, 6])) == [row(4), row(5), row(6), row(6)]


def test_starts_add_up_until_there_is_an_answer(tmp_path: Path) -> None:
    for _ in range(3):
        written(tmp_path / "j", begun=1)
    with Journal(tmp_path / "j", "run") as journal:
        assert journal.starts[1] == 3
        journal.finish(1, [])
        assert not journal.starts


def test_it_knows_when_earlier_starts_worked_and_on_how_much(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path, 0, 1)
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))  # left before it was opened: a clock was set
    written(path, 2)
    with Journal(path, "run") as journal:
        assert [one.units for one in journal.spells] == [2, 1]
        first, second = journal.spells
        assert first.seconds == 0
        assert first.started <= second.started <= time.time()


def test_of_a_start_of_an_older_version_nothing_is_booked_to_a_later_one(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path, 0, 1)
    first, *others = path.read_bytes().splitlines(keepends=True)
    fields = json.loads(first)
    del fields["opened"]
    path.write_bytes(json.dumps(fields).encode() + b"\n" + b"".join(others))
    written(path, 2)
    with Journal(path, "run") as journal:
        assert [one.units for one in journal.spells] == [1]


def test_cut_anywhere_it_holds_the_lines_before_the_cut(tmp_path: Path) -> None:
    written(tmp_path / "j", 0, 1)
    whole = (tmp_path / "j").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "j").write_bytes(whole[:size] + b"\0" * (size % 3))
        lines = whole[:size].count(b"\n")
        with Journal(tmp_path / "j", "run") as journal:
            assert len(journal.finished) == max(0, lines - 1) // 2
            number = len(journal.finished)
            journal.finish(number, [row(number)])
            assert list(journal.rows(range(number + 1))) == [row(n) for n in range(number + 1)]


def test_one_of_another_run_is_begun_anew(tmp_path: Path) -> None:
    written(tmp_path / "j", 0)
    with Journal(tmp_path / "j", "other") as journal:
        assert not journal.finished
    assert b'"unit"' not in (tmp_path / "j").read_bytes()


def test_a_full_disk_is_named_and_what_was_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "j", 0)
    real, sizes = os.write, iter([10])

    def write(descriptor: int, data: bytes) -> int:
        size = next(sizes, None)
        if size is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:size])

    with Journal(tmp_path / "j", "run") as journal:
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(CannotWrite, match="No space left") as raised:
            journal.finish(1, [row(1)])
        assert journal.error is raised.value
        monkeypatch.undo()
    with Journal(tmp_path / "j", "run") as journal:
        assert journal.finished == {0}


@pytest.mark.parametrize(
    "others",
    [
        b'{"unit": 0, "rows": []}\n',  # once more
        b'{"unit": 1, "ro{"unit": 1, "rows": []}\n',  # two at once
        b"",  # one is missing
    ],
)
def test_what_two_machines_wrote_without_locks_is_not_taken(tmp_path: Path, others: bytes) -> None:
    written(tmp_path / "j", 0)
    with Journal(tmp_path / "j", "run") as journal:
        with (tmp_path / "j").open("ab") as file:
            file.write(others)
        with pytest.raises(JournalSpoiled):
            list(journal.rows([0, 1]))


def test_one_that_was_removed_meanwhile_is_not_taken(tmp_path: Path) -> None:
    written(tmp_path / "j", 0)
    with Journal(tmp_path / "j", "run") as journal:
        (tmp_path / "j").unlink()
        with pytest.raises(JournalSpoiled):
            list(journal.rows([0]))


def test_who_watches_counts_answers_as_they_come(tmp_path: Path) -> None:
    watch = JournalWatch(tmp_path / "j")
    assert watch.look() == 0
    written(tmp_path / "j", 0, 1, begun=2)
    assert watch.look() == 2
    assert watch.begun == 2
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"unit": 2')
        file.flush()
        assert watch.look() == 2
        file.write(b', "rows": []}\n')
    assert watch.look() == 3
    assert watch.begun is None
    (tmp_path / "j").unlink()
    assert watch.look() == 3


@pytest.mark.parametrize("is_there", [False, True])
def test_a_journal_that_cannot_be_removed_is_emptied_and_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    def refuse(_: Path, **__: object) -> None:  # as Windows does while somebody looks at it
        raise PermissionError(errno.EACCES, "in use")

    if is_there:
        written(tmp_path / "j", 0, begun=1)
    monkeypatch.setattr(Path, "unlink", refuse)
    remove_journal(tmp_path / "j")
    with Journal(tmp_path / "j", "run") as journal:
        assert not journal.finished
        assert not journal.starts
