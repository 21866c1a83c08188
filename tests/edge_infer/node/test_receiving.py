"""What a node accepts, and when a study is complete. One node serves all of these tests."""

import contextlib
import json
import socket
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from dicom_files import TRANSFER_SYNTAXES, uid_of
from node_runs import Destination, Node, study, wait_for
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage, SecondaryCaptureImageStorage

# pynetdicom leaves sockets of rejected associations to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CT_IMAGE, PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.11.1"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    callers = {
        "callers": ["MODALITY", "ORTHANC"],
        "discard": [PRESENTATION_STATE],
        "max_associations": 4,
    }
    made = Node(
        tmp_path_factory.mktemp("node"),
        receive=callers,
        complete={"quiet_s": 0.3, "after_abort_s": 1.2},
        limits={"min_free_mb": 0, "max_object_mb": 1, "max_study_files": 20},
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


def results_of(pacs: Destination, name: str) -> list[Any]:
    return [one for one in pacs.objects.values() if one.StudyInstanceUID == uid_of(name)]


def spoil(image: Any, **values: str) -> None:
    """Set values that pydicom would complain about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in values.items():
            setattr(image, keyword, value)


def wait_for_results(pacs: Destination, name: str, count: int = 1) -> list[Any]:
    return list(
        wait_for(lambda: len(found := results_of(pacs, name)) >= count and found, what=name)
    )


def key_of(node: Node, stage: str, name: str) -> list[str]:
    return [
        folder.name
        for folder in node.rounds(stage)
        if (folder / "note.json").exists()
        and json.loads((folder / "note.json").read_bytes())["study_instance_uid"] == uid_of(name)
    ]


def test_a_study_comes_back_as_results_under_its_own_uid(node: Node, pacs: Destination) -> None:
    assert node.send(study("whole")) == [0, 0, 0]
    (result,) = wait_for_results(pacs, "whole")
    assert result.InstanceNumber == 3
    assert pacs.came[result.SOPInstanceUID] == 1


def test_it_answers_c_echo(node: Node) -> None:
    association = node.associate()
    assert association.send_c_echo().Status == 0
    association.release()


@pytest.mark.parametrize("names", [{"called": "OTHER"}, {"calling": "STRANGER"}])
def test_other_titles_are_rejected(node: Node, names: dict[str, str]) -> None:
    assert node.associate(**names).is_rejected


def test_objects_other_than_mr_are_not_accepted(node: Node) -> None:
    entity = AE(ae_title="MODALITY")
    for uid in (CT_IMAGE, SecondaryCaptureImageStorage, MRImageStorage):
        entity.add_requested_context(uid)
    association = entity.associate("127.0.0.1", node.port, ae_title="BRAIN")
    accepted = [str(one.abstract_syntax) for one in association.accepted_contexts]
    association.release()
    assert accepted == [MRImageStorage]


@pytest.mark.parametrize("name", ["implicit", "big-endian", "rle", "jpeg-lossless", "jpeg-ls"])
def test_encodings_that_the_reader_decodes_are_accepted(node: Node, name: str) -> None:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(MRImageStorage, TRANSFER_SYNTAXES[name])
    opened = entity.associate("127.0.0.1", node.port, ae_title="BRAIN")
    assert [one.transfer_syntax for one in opened.accepted_contexts] == [[TRANSFER_SYNTAXES[name]]]
    opened.release()


def test_an_encoding_whose_size_is_unknown_is_not_accepted(node: Node) -> None:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(MRImageStorage, TRANSFER_SYNTAXES["deflated"])
    opened = entity.associate("127.0.0.1", node.port, ae_title="BRAIN")
    assert opened.accepted_contexts == []
    opened.abort()


def test_listed_classes_are_accepted_and_thrown_away(node: Node) -> None:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(PRESENTATION_STATE)
    state = study("discarded", sop_class=PRESENTATION_STATE)[0]
    association = entity.associate("127.0.0.1", node.port, ae_title="BRAIN")
    status = association.send_c_store(state)
    association.release()
    assert status.Status == 0
    time.sleep(0.5)
    assert not [
        one
        for stage in ("incoming", "ready", "sent", "failed")
        for one in key_of(node, stage, "discarded")
    ]


def test_a_study_waits_for_every_open_association(node: Node, pacs: Destination) -> None:
    images = study("two at once", slices=6)
    first, second = node.associate(), node.associate()
    for one in images[:3]:
        assert first.send_c_store(one).Status == 0
    for one in images[3:5]:
        assert second.send_c_store(one).Status == 0
    first.release()
    time.sleep(0.8)  # longer than the quiet time
    assert results_of(pacs, "two at once") == []
    assert second.send_c_store(images[5]).Status == 0
    second.release()
    (result,) = wait_for_results(pacs, "two at once")
    assert result.InstanceNumber == 6


def test_a_broken_association_gives_no_result(node: Node, pacs: Destination) -> None:
    node.send(study("broken", slices=5)[:2], ending="abort")
    wait_for(lambda: key_of(node, "failed", "broken"), what="failing")
    note = json.loads(
        (node.spool / "failed" / key_of(node, "failed", "broken")[0] / "note.json").read_bytes()
    )
    assert (note["code"], note["images"], note["breaks"]) == ("incomplete", 2, 1)
    assert results_of(pacs, "broken") == []
    # Sent again as a whole, it is answered as a whole.
    assert node.send(study("broken", slices=5)) == [0] * 5
    (result,) = wait_for_results(pacs, "broken")
    assert result.InstanceNumber == 5


def test_a_new_try_after_a_break_gives_one_result(node: Node, pacs: Destination) -> None:
    images = study("new try", slices=4)
    node.send(images[:2], ending="abort")
    node.send(images)
    (result,) = wait_for_results(pacs, "new try")
    assert result.InstanceNumber == 4
    assert key_of(node, "failed", "new try") == []


def test_an_association_that_was_open_at_the_break_does_not_mend_it(
    node: Node, pacs: Destination
) -> None:
    images = study("not mended", slices=4)
    breaking, other = node.associate(), node.associate()
    breaking.send_c_store(images[0])
    other.send_c_store(images[1])
    breaking.abort()
    time.sleep(0.3)
    other.send_c_store(images[2])
    other.release()
    wait_for(lambda: key_of(node, "failed", "not mended"), what="failing")
    assert results_of(pacs, "not mended") == []


def test_late_slices_give_a_second_result_of_all_slices_that_names_the_first(
    node: Node, pacs: Destination
) -> None:
    images = study("late", slices=5)
    node.send(images[:3])
    (former,) = wait_for_results(pacs, "late")
    node.send(images[3:])
    both = wait_for_results(pacs, "late", 2)
    (later,) = [one for one in both if one.SOPInstanceUID != former.SOPInstanceUID]
    assert (former.InstanceNumber, later.InstanceNumber) == (3, 5)
    assert "capture" in later.ImageComments  # the stub writes what it is told of former results


def test_a_study_that_is_sent_again_is_not_answered_again(node: Node, pacs: Destination) -> None:
    node.send(study("again"))
    wait_for_results(pacs, "again")
    wait_for(lambda: key_of(node, "sent", "again"))
    assert node.send(study("again")) == [0, 0, 0]
    time.sleep(0.8)
    assert len(key_of(node, "sent", "again")) == 1
    assert [pacs.came[one.SOPInstanceUID] for one in results_of(pacs, "again")] == [1]


def test_two_patients_under_one_study_uid_are_two_studies(node: Node, pacs: Destination) -> None:
    node.send(study("shared uid", series="a", PatientID="ONE"))
    node.send(study("shared uid", series="b", PatientID="TWO"))
    both = wait_for_results(pacs, "shared uid", 2)
    assert sorted((one.PatientID, one.InstanceNumber) for one in both) == [("ONE", 3), ("TWO", 3)]


def test_an_object_without_a_study_is_refused(node: Node) -> None:
    image = study("homeless")[0]
    del image.StudyInstanceUID
    assert node.send([image]) == [0xC000]
    spoil(image, StudyInstanceUID="CANARY^NAME")
    assert node.send([image]) == [0xC000]
    assert not [path for path in node.spool.rglob("*") if "CANARY" in path.name]


def test_a_study_of_too_many_files_is_refused_beyond_them(node: Node) -> None:
    statuses = node.send(study("many", slices=22))
    assert statuses == [0] * 20 + [0xA700] * 2


def test_an_object_that_is_too_large_breaks_its_association(node: Node) -> None:
    image = study("large", slices=1, size=1200)[0]  # 2.9 MB
    association = node.associate()
    association.send_c_store(image)
    wait_for(lambda: association.is_aborted, what="breaking off")
    assert key_of(node, "incoming", "large") == []
    wait_for(
        lambda: not [p for p in (node.spool / "partial").iterdir() if p.stat().st_size > 2**21]
    )


def test_garbage_on_the_socket_does_not_stop_it(node: Node, pacs: Destination) -> None:
    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff" + b"\0" * 70000,
        b"\x04",
        b"",
    ):
        with socket.create_connection(("127.0.0.1", node.port)) as connection:
            connection.sendall(data)
    assert node.send(study("after garbage")) == [0, 0, 0]
    wait_for_results(pacs, "after garbage")


def test_connections_that_say_nothing_keep_nobody_out(node: Node) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
        association = node.associate()
        assert association.is_established
        association.release()


def test_more_associations_than_allowed_are_rejected_for_now(node: Node) -> None:
    opened = [node.associate() for _ in range(4)]
    try:
        assert all(one.is_established for one in opened)
        assert node.associate().is_rejected
    finally:
        for one in opened:
            one.release()
    wait_for(lambda: (one := node.associate()).is_established and (one.release() or True))


def test_the_status_file_counts_and_names_nobody(node: Node, pacs: Destination) -> None:
    node.send(study("counted"))
    wait_for_results(pacs, "counted")
    before = time.time()
    status = wait_for(
        lambda: (
            (read := json.loads((node.spool / "status.json").read_bytes()))["written_at"] > before
            and read
        ),
    )
    assert status["state"] == "running"
    assert status["studies"]["sent"] == len(node.rounds("sent"))
    assert status["objects"]["stored"] >= 3
    assert status["model"]["manifest_sha256"]


def test_neither_log_nor_notes_hold_what_headers_and_callers_say(
    node: Node, pacs: Destination
) -> None:
    """Runs last: it reads what all the others made the node write."""
    images = study("canaries")
    for image in images:
        spoil(image, PatientBirthDate="CANARY", StudyTime="CANARY", PatientSex="CANARY")
    node.send(images)
    node.associate(calling="CANARY CALLER")
    node.associate(called="CANARY CALLED")
    wait_for_results(pacs, "canaries")
    texts = [node.log_text, *(path.read_text() for path in node.spool.rglob("*.json"))]
    names = [str(path.relative_to(node.spool)) for path in node.spool.rglob("*")]
    assert "association opened by MODALITY" in node.log_text
    assert not [text for text in (*texts, *names) if "CANARY" in text.upper()]
