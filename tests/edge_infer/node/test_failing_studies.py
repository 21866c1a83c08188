"""Studies at which the classifier fails: they end in ``failed`` with a code, and the next study is answered."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
from dicom_files import drawn_volume, mr_series, uid_of
from node_runs import Destination, Node, study, wait_for
from series_results import ALGORITHM, series_of

from edge_infer.errors import BundleIntegrity, CannotWrite
from edge_infer.node.classifying import Classifying
from edge_infer.node.config import read_config
from edge_infer.node.notes import now, read_note, update_note
from edge_infer.node.predecessors import name_predecessors
from edge_infer.node.service import NodeService
from edge_infer.node.spool import Spool
from edge_infer.structured.write import write_results

# pynetdicom leaves sockets of associations that broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    made = Node(
        tmp_path_factory.mktemp("node"),
        complete={"quiet_s": 0.3, "after_abort_s": 0.6},
        limits={"min_free_mb": 0, "study_timeout_s": 1.5, "max_waiting": 5, "max_spool_mb": 4},
    )
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def pacs(node: Node) -> Iterator[Destination]:
    destination = Destination(node.destination_port)
    destination.start()
    yield destination
    destination.stop()


def folder_of(node: Node, stage: str, name: str) -> Path | None:
    for folder in node.rounds(stage):
        note = folder / "note.json"
        if note.exists() and json.loads(note.read_bytes())["study_instance_uid"] == uid_of(name):
            return folder
    return None


def failed_note(node: Node, name: str) -> dict[str, Any]:
    folder = wait_for(lambda: folder_of(node, "failed", name), what="failing")
    return dict(json.loads((folder / "note.json").read_bytes()))


def test_studies_that_cannot_be_answered_fail_with_a_code(node: Node, pacs: Destination) -> None:
    codes = {
        "refuse": "no_readable_series",
        "error": "corrupt",
        "bug": "error",
        "slow": "timed_out",
        "crash": "crashed",
    }
    for trouble in codes:
        node.send(study(trouble, ProtocolName=trouble))
    notes = {trouble: failed_note(node, trouble) for trouble in codes}
    assert {trouble: note["code"] for trouble, note in notes.items()} == codes
    assert "CANARY" not in (str(notes) + node.log_text).upper()
    counts = dict.fromkeys(sorted(codes.values()), 1)
    wait_for(lambda: node.status()["failed_by_code"] == counts, what="a status")
    assert not pacs.came


def test_after_a_crash_the_next_study_is_answered_and_the_crashed_one_when_told_so(
    node: Node, pacs: Destination
) -> None:
    node.send(study("after the crash"))
    wait_for(lambda: folder_of(node, "sent", "after the crash"), what="sending")
    (node.folder / "calm").touch()
    crashed = folder_of(node, "failed", "crash")
    assert crashed is not None
    assert node.command("retry", crashed.name).returncode == 0
    wait_for(lambda: folder_of(node, "sent", "crash"), what="sending")
    (node.folder / "calm").unlink()
    assert pacs.came.total() == 2


def test_an_incomplete_study_is_answered_with_a_warning_when_told_so(
    node: Node, pacs: Destination
) -> None:
    node.send(study("incomplete")[:2], ending="abort")
    assert failed_note(node, "incomplete")["code"] == "incomplete"
    failed = folder_of(node, "failed", "incomplete")
    assert failed is not None
    assert node.command("retry", failed.name.partition(".")[0]).returncode == 0
    wait_for(lambda: folder_of(node, "sent", "incomplete"), what="sending")
    (result,) = [x for x in pacs.objects.values() if x.StudyInstanceUID == uid_of("incomplete")]
    assert "may be incomplete" in result.ImageComments


def test_retry_refuses_a_name_that_did_not_fail(node: Node) -> None:
    finished = node.command("retry", "0000000000000000.1")
    assert finished.returncode == 21
    assert "not among the studies that failed" in finished.stderr


def test_a_full_queue_refuses_new_studies_and_finishes_the_old(
    node: Node, pacs: Destination
) -> None:
    pacs.stop()
    names = [f"queue {number}" for number in range(6)]
    for name in names[:5]:
        assert node.send(study(name, slices=1)) == [0]
    wait_for(lambda: not node.rounds("incoming"))
    assert node.send(study(names[5], slices=1)) == [0xA700]
    assert "queue_full" in node.log_text
    pacs.start()
    for name in names[:5]:
        wait_for(lambda name=name: folder_of(node, "sent", name), what="sending")
    wait_for(lambda: node.send(study(names[5], slices=1)) == [0], what="room")
    wait_for(lambda: folder_of(node, "sent", names[5]), what="sending")


def test_a_stop_in_the_middle_of_a_study_leaves_it_to_the_next_start(
    node: Node, pacs: Destination
) -> None:
    node.send(study("interrupted", ProtocolName="slow"))
    started = (
        wait_for(lambda: folder_of(node, "ready", "interrupted"), what="starting") / "note.json"
    )
    wait_for(lambda: b"started_at" in started.read_bytes())
    assert node.stop() == 0
    assert b"started_at" not in started.read_bytes()
    (node.folder / "calm").touch()
    node.start()
    wait_for(lambda: folder_of(node, "sent", "interrupted"), what="sending")
    (result,) = [x for x in pacs.objects.values() if x.StudyInstanceUID == uid_of("interrupted")]
    assert pacs.came[result.SOPInstanceUID] == 1


@pytest.fixture
def classifying(tmp_path: Path) -> Iterator[Classifying]:
    """Not started; a study waits for it."""
    config = read_config(Node(tmp_path).config)
    with Spool.opened(config.receive.spool) as spool:
        made = spool.incoming / ("a" * 16)
        (made / "images").mkdir(parents=True)
        update_note(made, complete_at=now())
        spool.entered(made.name, 1, "ready", made)
        yield Classifying(config, spool, "stub_node", lambda: None)


@pytest.mark.parametrize("error", [BundleIntegrity("changed"), OSError(12, "no memory")])
def test_where_the_process_cannot_start_all_studies_wait(
    classifying: Classifying, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(classifying, "_new_worker", fails)
    for _ in range(25):
        assert classifying._one_turn() == 30.0
    (one,) = classifying._spool.rounds("ready")
    assert set(read_note(one.folder)) == {"complete_at"}


@pytest.mark.parametrize("can_be_noted", [True, False])
def test_a_study_that_is_put_back_for_want_of_room_was_not_interrupted(
    classifying: Classifying, monkeypatch: pytest.MonkeyPatch, can_be_noted: bool
) -> None:
    answer = {"error": "cannot_write", "message": "full"}
    worker = SimpleNamespace(answered=0, ask=lambda *_request, **_options: answer)
    monkeypatch.setattr(classifying, "_new_worker", lambda: worker)
    monkeypatch.setattr("edge_infer.node.classifying._LATER_S", 0.0)

    def note(folder: Path, **values: Any) -> None:
        if not can_be_noted and values == {"started_at": None}:
            raise CannotWrite("full")
        update_note(folder, **values)

    monkeypatch.setattr("edge_infer.node.classifying.update_note", note)
    for _ in range(25):
        classifying._one_turn()
    (one,) = classifying._spool.rounds("ready")
    assert "interruptions" not in read_note(one.folder)


def test_a_part_of_the_work_that_fails_keeps_no_other_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_infer.node.service._TICK_S", 0.01)
    service = NodeService(read_config(Node(tmp_path).config))
    done: list[str] = []

    def fails() -> None:
        raise OSError(5, "broken")

    def write() -> None:
        done.append("status")
        service.stop()

    alive = SimpleNamespace(is_alive=True)
    board: Any = SimpleNamespace(
        classifying=alive,
        delivering=alive,
        receiver=SimpleNamespace(prune=lambda: None),
        admission=SimpleNamespace(measure=lambda: done.append("measured")),
        move_complete=fails,
        tidy=fails,
        write_running=write,
    )
    service._loop(board)
    assert done == ["measured", "status"]


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_an_earlier_report_that_is_damaged_or_gone_fails_no_later_one(
    tmp_path: Path, content: bytes | None
) -> None:
    former = tmp_path / "former.dcm"
    if content is not None:
        former.write_bytes(content)
    name_predecessors([], [former])


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Two reports about one series."""
    source = mr_series(drawn_volume(slices=3, rows=32, columns=32))
    found = []
    for rule in ("former", "new"):
        folder = tmp_path_factory.mktemp(rule)
        first, *_ = write_results(series_of(source, rule=rule), folder, algorithm=ALGORITHM)
        found.append(first.read_bytes())
    return found


def predecessors_named(folder: Path, former: bytes, new: bytes) -> list[Any]:
    files = folder / "former.dcm", folder / "new.dcm"
    for file, content in zip(files, (former, new), strict=True):
        file.write_bytes(content)
    name_predecessors(files[1:], files[:1])
    return list(pydicom.dcmread(files[1]).get("PredecessorDocumentsSequence", []))


SOP_CLASS, SERIES, EVIDENCE = b"\x08\0\x16\0UI", b"\x20\0\x0e\0UI", b"\x40\0\x75\xa3SQ"


@pytest.mark.parametrize(
    ("tag", "more"),
    [(SOP_CLASS, 0), (SERIES, 0), (EVIDENCE, 0), (EVIDENCE, 30)],
    ids=["after the file meta", "before its series", "before its evidence", "within its evidence"],
)
def test_an_earlier_report_that_is_cut_off_is_not_named_and_fails_no_later_one(
    tmp_path: Path, reports: list[bytes], tag: bytes, more: int
) -> None:
    former, new = reports
    assert len(predecessors_named(tmp_path, former, new)) == 1
    assert predecessors_named(tmp_path, former[: former.index(tag) + more], new) == []


def answers(requests: list[dict[str, Any]]) -> Any:
    """What stands in for the process that classifies: it writes one result."""

    def ask(request: dict[str, Any], **_options: Any) -> dict[str, Any]:
        requests.append(request)
        Path(request["out"]).mkdir()
        (Path(request["out"]) / "result.dcm").write_bytes(b"result")
        return {"series": 1, "files": 1, "refused": {}}

    return SimpleNamespace(answered=0, ask=ask)


def test_what_was_written_is_noted_by_its_digest(
    classifying: Classifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifying, "_new_worker", lambda: answers([]))
    classifying._one_turn()
    (one,) = classifying._spool.rounds("results")
    assert read_note(one.folder)["sha256"] == [hashlib.sha256(b"result").hexdigest()]


def test_earlier_results_that_cannot_be_read_keep_no_later_study_from_its_answer(
    classifying: Classifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = classifying._spool
    (first,) = spool.rounds("ready")
    first.out.mkdir()
    spool.move(first, "sent")
    later = spool.incoming / first.key
    (later / "images").mkdir(parents=True)
    spool.entered(first.key, 2, "ready", later)
    real = Path.rglob

    def rglob(path: Path, pattern: str) -> Iterator[Path]:
        if "sent" in path.parts:
            raise OSError(5, "broken")
        return real(path, pattern)

    monkeypatch.setattr(Path, "rglob", rglob)
    requests: list[dict[str, Any]] = []
    monkeypatch.setattr(classifying, "_new_worker", lambda: answers(requests))
    classifying._one_turn()
    assert [one.name for one in spool.rounds("results")] == [f"{first.key}.2"]
    assert requests[0]["predecessors"] == []


def test_a_full_spool_refuses_everything(node: Node) -> None:
    """Runs last: it fills the spool."""
    large = study("large", slices=3, size=1200)  # 2.9 MB each, of 4 MiB
    assert node.send(large)[::2] == [0, 0xA700]
    assert "spool_full" in node.log_text
