"""Results go to the destination, whatever it does: it is down, is full, refuses; or it is a folder."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from node_runs import Destination, Node, study, wait_for
from stub_node import answer_study, load_classifier

from edge_infer.node.config import read_config
from edge_infer.node.sending import Unreachable, send

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
