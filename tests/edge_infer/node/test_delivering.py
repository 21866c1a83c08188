"""Results go to the destination, whatever it does: it is down, is full, refuses; or it is a folder."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from node_runs import Destination, Node, study, wait_for
from pydicom.dataset import Dataset
from stub_node import answer_study, load_classifier

from edge_infer.node.config import Tls, read_config
from edge_infer.node.delivering import Delivering
from edge_infer.node.disk import sha256_of
from edge_infer.node.notes import now, read_note, update_note
from edge_infer.node.retrying import retry_failed
from edge_infer.node.sending import Unreachable, echo, send
from edge_infer.node.spool import Round, Spool

# pynetdicom leaves sockets of associations that broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    made = Node(
        tmp_path_factory.mktemp("node"),
        complete={"quiet_s": 0.2},
        destination={"retry_first_s": 0.2, "retry_most_s": 0.4},
    )
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def pacs(node: Node) -> Iterator[Destination]:
    destination = Destination(node.destination_port)
    yield destination
    destination.stop()


def test_results_wait_for_a_destination_that_is_down_through_a_kill(
    node: Node, pacs: Destination
) -> None:
    node.send(study("waits"))
    node.wait_for_round("results")
    wait_for(lambda: "cannot be reached" in node.log_text, what="a word in the log")
    wait_for(lambda: "cannot be reached" in node.status()["destination"]["problem"])
    node.kill()
    assert len(node.rounds("results")) == 1
    node.start()
    pacs.start()
    node.wait_for_round("sent")
    assert list(pacs.came.values()) == [1]


def test_a_destination_out_of_resources_is_tried_again(node: Node, pacs: Destination) -> None:
    pacs.status = 0xA700
    node.send(study("full"))
    wait_for(lambda: "A700H" in node.log_text, what="a word in the log")
    pacs.status = 0
    node.wait_for_round("sent", 2)


def test_results_that_are_refused_again_and_again_fail_and_can_be_sent_again(
    node: Node, pacs: Destination
) -> None:
    pacs.status = 0xA900
    node.send(study("refused"))
    node.wait_for_round("failed")
    note = node.note("failed")
    assert note["code"] == "refused_by_destination"
    assert "A900H" in note["message"]
    pacs.status = 0
    assert node.command("retry", "--all").returncode == 0
    node.wait_for_round("sent", 3)
    assert list(pacs.came.values()) == [1, 1, 1]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folder = tmp_path / "answer"
    folder.mkdir()
    images = []
    for number, image in enumerate(study("to a folder")):
        images.append(tmp_path / f"{number}.dcm")
        image.save_as(images[-1], enforce_file_format=True)
    return answer_study(load_classifier(), images, folder).files[0]


def test_results_may_go_to_a_folder(tmp_path: Path, capture: Path) -> None:
    config = read_config(Node(tmp_path, destination={"folder": "out"}).config)
    blocked = tmp_path / "out"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(Unreachable, match="folder cannot be written"):
        send(config, [capture], "KEY.1")
    blocked.unlink()
    for _ in range(2):
        send(config, [capture], "KEY.1")
        assert [path.name for path in blocked.iterdir() if path.is_dir()] == ["KEY.1"]
    assert pydicom.dcmread(blocked / "KEY.1" / capture.name).Modality == "OT"


def test_other_results_under_a_name_that_is_used_again_replace_nothing(
    tmp_path: Path, capture: Path
) -> None:
    config = read_config(Node(tmp_path, destination={"folder": "out"}).config)
    other = capture.with_name("other.dcm")
    other.write_bytes(b"other")
    for files in ([capture], [other], [other], [capture]):
        send(config, files, "KEY.1")
    found = {path.name: [x.name for x in path.iterdir()] for path in (tmp_path / "out").iterdir()}
    assert found == {"KEY.1": [capture.name], "KEY.1-2": ["other.dcm"]}


QUICK = {"retry_first_s": 0.1, "retry_most_s": 0.1}


def answered(spool: Spool, key: str, result: bytes | None) -> Round:
    """A round that waits for the destination; a result None cannot be read."""
    folder = spool.incoming / key
    (folder / "images").mkdir(parents=True)
    file = folder / "out" / "result.dcm"
    file.parent.mkdir()
    if result is None:
        file.mkdir()
    else:
        file.write_bytes(result)
    update_note(folder, answered_at=now(), objects=1)
    return spool.entered(key, 1, "results", folder)


@contextlib.contextmanager
def takes_all(*_arguments: object) -> Iterator[SimpleNamespace]:
    answer = Dataset()
    answer.Status = 0
    yield SimpleNamespace(send_c_store=lambda *_arguments, **_options: answer)


@pytest.mark.parametrize("content", [b"", b"garbage", "gone"])
def test_a_damaged_result_holds_up_no_other_and_is_made_anew_when_told_so(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | str
) -> None:
    monkeypatch.setattr("edge_infer.node.sending._associated", takes_all)
    config = read_config(Node(tmp_path, destination=QUICK).config)
    with Spool.opened(config.receive.spool) as spool:
        bad = answered(spool, "a" * 16, content if isinstance(content, bytes) else b"")
        if content == "gone":
            (bad.out / "result.dcm").unlink()
        good = answered(spool, "b" * 16, capture.read_bytes())
        delivering = Delivering(config, spool)
        wait_for(lambda: delivering._deliver_one() and spool.rounds("failed"), seconds=5)
        (failed,), (sent,) = spool.rounds("failed"), spool.rounds("sent")
        assert (failed.name, sent.name) == (bad.name, good.name)
        assert read_note(failed.folder)["code"] == "damaged_result"
        retry_failed(spool.folder, None)
        assert [one.name for one in spool.rounds("ready")] == [bad.name]  # answered anew


@pytest.mark.parametrize("destination", [QUICK, {"folder": "out", **QUICK}])
def test_a_result_that_cannot_be_read_now_holds_up_no_other_and_waits(
    tmp_path: Path,
    capture: Path,
    monkeypatch: pytest.MonkeyPatch,
    destination: dict[str, object],
) -> None:
    monkeypatch.setattr("edge_infer.node.delivering._MAX_REFUSALS", 1)  # it counts as none
    monkeypatch.setattr("edge_infer.node.sending._associated", takes_all)
    config = read_config(Node(tmp_path, destination=destination).config)
    with Spool.opened(config.receive.spool) as spool:
        bad = answered(spool, "a" * 16, None)
        good = answered(spool, "b" * 16, capture.read_bytes())
        delivering = Delivering(config, spool)
        wait_for(lambda: delivering._deliver_one() and spool.rounds("sent"), seconds=5)
        assert [one.name for one in spool.rounds("results")] == [bad.name]
        assert [one.name for one in spool.rounds("sent")] == [good.name]
        assert delivering.retry_in_s == 0
        assert "cannot be read" in read_note(spool.rounds("results")[0].folder)["problem"]


@pytest.mark.parametrize("destination", [QUICK, {"folder": "out", **QUICK}])
@pytest.mark.parametrize("left", [0, -1])
def test_a_result_that_is_not_what_was_written_goes_nowhere(
    tmp_path: Path,
    capture: Path,
    monkeypatch: pytest.MonkeyPatch,
    destination: dict[str, object],
    left: int,
) -> None:
    monkeypatch.setattr("edge_infer.node.delivering._MAX_REFUSALS", 1)
    monkeypatch.setattr("edge_infer.node.sending._associated", takes_all)
    config = read_config(Node(tmp_path, destination=destination).config)
    with Spool.opened(config.receive.spool) as spool:
        for key in ("a" * 16, "b" * 16):
            one = answered(spool, key, capture.read_bytes())
            update_note(one.folder, sha256=sha256_of(one.results()))
        (bad, good) = spool.rounds("results")
        (bad.out / "result.dcm").write_bytes(capture.read_bytes()[:left])
        delivering = Delivering(config, spool)
        while delivering._deliver_one():
            pass
        (failed,), (sent,) = spool.rounds("failed"), spool.rounds("sent")
        assert (failed.name, sent.name) == (bad.name, good.name)
        assert read_note(failed.folder)["code"] == "damaged_result"


def test_a_tls_key_that_is_gone_is_not_the_fault_of_the_results(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    tls = Tls(certificate=gone, key=gone, ca=gone, send=True)
    config = replace(read_config(Node(tmp_path).config), tls=tls)
    with pytest.raises(Unreachable, match="TLS cannot be used"):
        echo(config)
