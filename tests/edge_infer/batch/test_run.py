"""A run in one process: interrupted anywhere it comes to the same rows, and what is not the run's is refused."""

import contextlib
import json
import os
import shutil
import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from batch_runs import archive_of, deadly_path, rows_of
from tiny_bundle import bundle_files, manifest_body

from edge_infer.batch import loading
from edge_infer.batch.held import held
from edge_infer.batch.loading import BundleSource
from edge_infer.batch.plan import planned_units
from edge_infer.batch.run import Shard, Shown, Wishes, run_batch
from edge_infer.bundle import write_bundle
from edge_infer.errors import (
    BundleIncompatible,
    BundleIntegrity,
    CannotWrite,
    DataRefused,
    OutputLocked,
    UnreadableInput,
)
from edge_infer.lock_file import locked

UNITS = 7


@pytest.fixture
def wishes(tmp_path: Path, bundle_path: Path) -> Wishes:
    """Seven images in three partitions."""
    return Wishes(
        inputs=(str(archive_of(tmp_path / "archive", UNITS)),),
        output=tmp_path / "out",
        source=BundleSource(bundle=str(bundle_path)),
        formats=("jsonl",),
        partition_size=3,
        workers=1,
    )


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(loading, "_loaded", [])


def content_of(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((output / "parts").iterdir())}


def unbroken(wishes: Wishes) -> Wishes:
    """The same run, done in one go."""
    other = replace(wishes, output=wishes.output.with_name("unbroken"))
    assert run_batch(other, Shown()) is not None
    return other


def begin(wishes: Wishes, units: int) -> None:
    """Have a run interrupted after so many units."""

    def interrupt(done: int, _total: int) -> None:
        if done == units:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(wishes, Shown(progress=interrupt))


def mark_begun(wishes: Wishes, number: int, times: int = 1) -> None:
    """Leave a journal as processes do that end while they read a unit of the first partition."""
    begin(wishes, 1)
    journal = wishes.output / "work" / "part-000000.jsonl"
    run = json.loads(journal.read_text(encoding="utf-8").splitlines()[0])["run"]
    lines = [{"run": run}, *[{"start": number}] * times]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_a_run_leaves_rows_a_summary_and_no_traces_of_work(wishes: Wishes) -> None:
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert summary.units == UNITS
    rows = [json.loads(line) for line in rows_of(wishes.output)]
    assert [row["unit"] for row in rows] == list(range(UNITS))
    assert {row["state"] for row in rows} == {"answered"}
    assert sorted(path.name for path in wishes.output.iterdir()) == [
        *("parts", "plan", "report.html", "run.json", "statistics", "summary.json")
    ]


@pytest.mark.parametrize("units", range(1, UNITS + 1))
def test_interrupted_after_any_unit_it_comes_to_the_same_bytes(wishes: Wishes, units: int) -> None:
    begin(wishes, units)
    seen: list[int] = []
    run_batch(wishes, Shown(progress=lambda done, _: seen.append(done)))
    assert len(seen) == UNITS - units  # and no unit is answered twice
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


def test_the_time_between_two_starts_is_a_pause_and_no_work(wishes: Wishes) -> None:
    begin(wishes, 2)
    journal = wishes.output / "work" / "part-000000.jsonl"
    first, *others = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    fields = json.loads(first)
    fields["opened"] -= 20  # as if it had begun 20 s ago, and been killed after 5
    journal.write_text(json.dumps(fields) + "\n" + "".join(others), encoding="utf-8")
    os.utime(journal, (fields["opened"] + 5, fields["opened"] + 5))
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert summary.throughput is not None
    (pause,) = summary.throughput["pauses"]
    assert pause["after_seconds"] == pytest.approx(5, abs=0.01)
    assert pause["seconds"] >= 15
    between = summary.throughput["ended"] - summary.throughput["started"]
    assert summary.throughput["worked_seconds"] == pytest.approx(
        between - pause["seconds"], abs=0.01
    )
    assert summary.throughput["units_per_second"] == pytest.approx(
        UNITS / summary.throughput["worked_seconds"], rel=0.01
    )


def test_a_finished_run_is_summed_up_again_and_not_answered(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_batch(wishes, Shown())
    monkeypatch.setattr(loading.Classifier, "load", None)
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert summary.is_complete


def test_a_lost_part_is_answered_again(wishes: Wishes) -> None:
    run_batch(wishes, Shown())
    before = content_of(wishes.output)
    (wishes.output / "parts" / "part-000001.jsonl").unlink()
    run_batch(wishes, Shown())
    assert content_of(wishes.output) == before


def test_a_unit_that_a_process_ended_in_is_answered_by_another_one(wishes: Wishes) -> None:
    mark_begun(wishes, 1)
    run_batch(wishes, Shown())
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


@pytest.mark.parametrize(("name", "ending"), [("deadly", "SIGKILL"), ("buggy", "status 1")])
def test_an_image_that_ends_its_process_twice_is_a_row_with_a_code(
    wishes: Wishes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ending: str
) -> None:
    archive_of(tmp_path / "archive", 1, names=name)  # the first by name
    monkeypatch.setenv("PYTHONPATH", deadly_path(tmp_path / "site"))
    mark_begun(wishes, 0)
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert summary.failed == 1
    rows = [json.loads(line) for line in rows_of(wishes.output)]
    assert [row["state"] for row in rows] == ["failed"] + ["answered"] * UNITS
    assert rows[0]["code"] == "process_died"
    assert ending in rows[0]["message"]


def test_an_error_of_a_reader_is_a_row_and_ends_no_other(
    wishes: Wishes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_of(tmp_path / "archive", 1, names="buggy")
    monkeypatch.setenv("PYTHONPATH", deadly_path(tmp_path / "site"))
    from edge_infer.batch.contents import Contents

    real = Contents.read

    def read(self: Contents, unit: object) -> bytes:
        if "buggy" in unit.source:  # type: ignore[attr-defined]
            raise ZeroDivisionError("of a reader")
        return real(self, unit)  # type: ignore[arg-type]

    monkeypatch.setattr(Contents, "read", read)
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert (summary.accepted + summary.abstained, summary.failed) == (UNITS, 1)


def test_a_unit_that_no_watcher_survives_is_given_up(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_begun(wishes, 0, times=10)
    monkeypatch.setattr("edge_infer.batch.unit_answers.answer_alone", None)
    run_batch(wishes, Shown())
    assert json.loads(rows_of(wishes.output)[0])["code"] == "process_died"


def test_shards_share_the_partitions_and_the_last_one_sums_up(wishes: Wishes) -> None:
    shards = [replace(wishes, shard=Shard(number=number, count=3)) for number in (3, 1, 2)]
    summaries = [run_batch(shard, Shown()) for shard in shards]
    assert [summary is None for summary in summaries] == [True, True, False]
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


def test_a_run_is_not_finished_while_a_lost_part_is_another_shards_to_answer(
    wishes: Wishes,
) -> None:
    run_batch(wishes, Shown())
    (wishes.output / "parts" / "part-000001.jsonl").unlink()
    first, second = (replace(wishes, shard=Shard(number=number, count=3)) for number in (1, 2))
    assert run_batch(first, Shown()) is None
    assert (wishes.output / "work").is_dir()
    assert run_batch(second, Shown()) is not None


@pytest.mark.parametrize("is_removed", [False, True])
def test_two_machines_at_one_partition_are_an_error_and_not_waited_for(
    wishes: Wishes, *, is_removed: bool
) -> None:
    def write_too(done: int, _total: int) -> None:
        journal = wishes.output / "work" / "part-000000.jsonl"
        if done == 1 and is_removed:
            journal.unlink()
        elif done == 1:
            with journal.open("a", encoding="utf-8") as file:
                file.write('{"unit": 0, "rows": []}\n')

    with pytest.raises(CannotWrite, match="two machines wrote one partition"):
        run_batch(wishes, Shown(progress=write_too))
    run_batch(wishes, Shown())
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


def test_more_shards_than_partitions_have_nothing_to_do(wishes: Wishes) -> None:
    assert run_batch(replace(wishes, shard=Shard(number=9, count=9)), Shown()) is None


def test_shards_may_start_and_work_at_once(wishes: Wishes) -> None:
    summaries = []

    def work(number: int) -> None:
        shard = Shard(number=number, count=3)
        summaries.append(run_batch(replace(wishes, shard=shard), Shown()))

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(summary is not None and summary.is_complete for summary in summaries)
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


def test_the_same_command_twice_at_once_is_refused(wishes: Wishes) -> None:
    begin(wishes, 1)
    with (
        locked(wishes.output / "work" / ".driver.lock", wishes.output),
        pytest.raises(OutputLocked),
    ):
        run_batch(wishes, Shown())
    run_batch(wishes, Shown())


def test_a_partition_that_another_process_works_on_is_waited_for(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_infer.batch.here._WAIT_S", 0.05)
    begin(wishes, 1)
    said, held = [], threading.Event()

    def other() -> None:
        with locked(wishes.output / "work" / ".part-000000.lock", wishes.output):
            held.set()
            waited.wait(20)

    def say(line: str) -> None:
        said.append(line)
        if "waiting" in line:
            waited.set()

    waited = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    run_batch(wishes, Shown(say=say))
    thread.join()
    assert any("other processes" in line for line in said)
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


def test_a_changed_bundle_is_refused_before_anything_is_answered(
    wishes: Wishes, own_bundle: Path
) -> None:
    mine = replace(wishes, source=BundleSource(bundle=str(own_bundle)))
    begin(mine, 1)
    shutil.rmtree(own_bundle)
    write_bundle(own_bundle, bundle_files(), manifest_body(intended_use="Others."))
    with pytest.raises(CannotWrite, match="other settings: bundle"):
        run_batch(mine, Shown())


def test_a_bundle_that_changes_after_the_start_is_refused_by_the_worker(
    wishes: Wishes, own_bundle: Path
) -> None:
    mine = replace(wishes, source=BundleSource(bundle=str(own_bundle)))

    def change(line: str) -> None:
        if "partitions" in line:
            shutil.rmtree(own_bundle)
            write_bundle(own_bundle, bundle_files(), manifest_body(intended_use="Others."))

    with pytest.raises(BundleIntegrity, match="the run began with"):
        run_batch(mine, Shown(say=change))
    assert not rows_of(wishes.output)


def test_a_worker_of_another_version_is_refused(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(line: str) -> None:
        if "partitions" in line:
            monkeypatch.setattr(loading, "__version__", "99")

    with pytest.raises(BundleIncompatible, match=r"brain-edge .* there, 99 here"):
        run_batch(wishes, Shown(say=update))


@pytest.mark.parametrize("package", ["onnxruntime", "numpy", "pillow"])
def test_a_run_goes_on_with_the_same_packages_only(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    begin(wishes, 4)
    others = loading.versions() | {package: "0.1"}
    monkeypatch.setattr(loading, "versions", lambda: others)
    with pytest.raises(CannotWrite, match="versions of the packages"):
        run_batch(wishes, Shown())


def test_decoders_that_are_installed_are_recorded() -> None:
    pytest.importorskip("pydicom")
    known = loading.package_versions()
    assert {"brain-edge", "numpy", "pillow", "pydicom"} <= known.keys()


def test_an_archive_that_goes_away_ends_the_run_and_leaves_no_rows_of_missing_files(
    wishes: Wishes, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"

    def unmount(done: int, _total: int) -> None:
        if done == 1:
            archive.rename(tmp_path / "away")
            archive.mkdir()  # an empty mount point

    with pytest.raises(UnreadableInput, match="archive: is not there"):
        run_batch(wishes, Shown(progress=unmount))
    assert not rows_of(wishes.output)
    archive.rmdir()
    (tmp_path / "away").rename(archive)
    run_batch(wishes, Shown())
    assert content_of(wishes.output) == content_of(unbroken(wishes).output)


def test_an_archive_that_goes_away_leaves_no_false_answer_even_if_the_run_is_killed_then(
    wishes: Wishes, tmp_path: Path
) -> None:
    def unmount(done: int, _total: int) -> None:
        if done == 2:  # of the three of a partition, so that one is left
            raise SystemExit
        (tmp_path / "archive").rename(tmp_path / "away")

    with pytest.raises(UnreadableInput, match="archive: is not there"):
        run_batch(wishes, Shown(progress=unmount))
    journal = (wishes.output / "work" / "part-000000.jsonl").read_text(encoding="utf-8")
    assert journal.count('"rows"') == 1  # what was answered stays
    assert "unreadable" not in journal


def test_a_file_that_is_missing_alone_is_a_row(wishes: Wishes, tmp_path: Path) -> None:
    begin(wishes, 1)
    (tmp_path / "archive" / "scan001.png").unlink()
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert (summary.accepted + summary.abstained, summary.failed) == (UNITS - 1, 1)


@pytest.mark.parametrize(
    ("url", "error"), [("memory://archeve", UnreadableInput), ("nosuch://x", DataRefused)]
)
def test_a_mistyped_url_is_refused_before_anything_is_planned(
    wishes: Wishes, url: str, error: type[Exception]
) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(error):
        run_batch(replace(wishes, inputs=(*wishes.inputs, url)), Shown())
    assert not wishes.output.exists()


def test_a_folder_at_a_url_that_cannot_be_listed_leaves_no_plan(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    image = Path(wishes.inputs[0]) / "scan000.png"
    for name in ("a", "b"):
        MemoryFileSystem().pipe_file(f"/in/{name}/x.png", image.read_bytes())
    mine = replace(wishes, inputs=("memory://in",))
    listed = MemoryFileSystem.ls
    with monkeypatch.context() as patch:

        def forbidding(self: MemoryFileSystem, path: str, **options: object) -> object:
            if path.endswith("/b"):
                raise PermissionError
            return listed(self, path, **options)

        patch.setattr(MemoryFileSystem, "ls", forbidding)
        with pytest.raises(UnreadableInput, match="in/b"):
            run_batch(mine, Shown())
    assert not (wishes.output / "run.json").exists()
    summary = run_batch(mine, Shown())  # the same command lists again
    assert summary is not None
    assert (summary.units, summary.failed) == (2, 0)
    MemoryFileSystem.store.clear()
    assert run_batch(mine, Shown()) is not None  # a URL is not asked again for what is planned


def test_a_mistyped_input_is_refused_before_anything_is_listed(wishes: Wishes) -> None:
    with pytest.raises(UnreadableInput, match="archeve"):
        run_batch(replace(wishes, inputs=("archeve",)), Shown())
    assert not wishes.output.exists()


def test_inputs_that_were_never_the_runs_are_other_settings_and_not_gone(
    wishes: Wishes, tmp_path: Path
) -> None:
    begin(wishes, 1)
    (tmp_path / "empty").mkdir()
    for other in ("empty", "archeve"):
        with pytest.raises(CannotWrite, match="other settings: inputs"):
            run_batch(replace(wishes, inputs=(str(tmp_path / other),)), Shown())
    shutil.rmtree(tmp_path / "archive")
    with pytest.raises(UnreadableInput, match="not there any more"):
        run_batch(wishes, Shown())


@pytest.mark.parametrize("place", [".", "out", "deeper/out"])
def test_an_output_within_an_input_is_refused_before_anything_is_written(
    wishes: Wishes, tmp_path: Path, place: str
) -> None:
    archive = tmp_path / "archive"
    before = sorted(archive.rglob("*"))
    (tmp_path / "link").symlink_to(archive)
    for output in (archive / place, tmp_path / "link" / place):
        with pytest.raises(CannotWrite, match="lies within the input"):
            run_batch(replace(wishes, output=output), Shown())
    assert sorted(archive.rglob("*")) == before


def test_another_folder_of_the_same_name_on_a_worker_is_refused(wishes: Wishes) -> None:
    def exchange(line: str) -> None:
        if "partitions" in line:
            path = wishes.output / "run.json"
            fields = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps({**fields, "run_id": "other"}), encoding="utf-8")

    with pytest.raises(CannotWrite, match="holds another run"):
        run_batch(wishes, Shown(say=exchange))


def test_the_plan_is_what_is_answered_whatever_is_added_later(
    wishes: Wishes, tmp_path: Path
) -> None:
    begin(wishes, 1)
    archive_of(tmp_path / "archive", 1, names="added")
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert summary.units == UNITS
    assert sum(len(list(planned_units(wishes.output, number))) for number in range(3)) == UNITS


def is_open(path: Path) -> bool:
    """Whether this process has a file open."""
    for descriptor in range(256):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return True
    return False


@pytest.mark.parametrize("is_looked_at", [False, True])
def test_where_open_files_cannot_be_removed_a_run_ends_as_elsewhere(
    wishes: Wishes, monkeypatch: pytest.MonkeyPatch, *, is_looked_at: bool
) -> None:
    unlink, refused = Path.unlink, []

    def as_on_windows(path: Path, *, missing_ok: bool = False) -> None:
        if path.parent.name == "work" and path.suffix == ".jsonl":
            refused.append(is_open(path))
            if is_looked_at or is_open(path):
                raise PermissionError(13, "in use")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", as_on_windows)
    summary = run_batch(wishes, Shown())
    assert summary is not None
    assert refused == [False] * 3
    assert not (wishes.output / "work").exists()


@pytest.mark.parametrize("error", [FileNotFoundError, FileExistsError])
def test_a_lock_whose_folder_another_shard_removes_meanwhile_is_held_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    sweeps = iter([error, error])

    def swept(path: Path, target: Path) -> AbstractContextManager[None]:
        if raised := next(sweeps, None):
            path.parent.rmdir()
            raise raised
        return locked(path, target)

    monkeypatch.setattr("edge_infer.batch.held.locked", swept)
    with held(tmp_path, "shard-1-of-2"):
        assert (tmp_path / "work" / ".shard-1-of-2.lock").exists()


def test_a_lock_in_a_folder_that_is_not_there_cannot_be_held(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite), held(tmp_path / "gone", "driver"):
        pass
