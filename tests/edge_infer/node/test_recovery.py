"""The node is killed: nothing is lost, nothing comes twice, nothing is taken for complete."""

import json
import random
import time

import pytest
from dicom_files import uid_of
from node_runs import Destination, Node, study

# pynetdicom leaves sockets of associations that broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_node_killed_while_it_receives_does_not_take_the_part_for_the_whole(
    node: Node, pacs: Destination
) -> None:
    pacs.start()
    images, whole = study("killed", slices=5), study("only the end is missing")
    node.start()
    association, other = node.associate(), node.associate()
    assert [association.send_c_store(one).Status for one in images[:3]] == [0, 0, 0]
    assert [other.send_c_store(one).Status for one in whole] == [0, 0, 0]
    node.kill()
    node.start()
    time.sleep(1)  # twice the quiet time
    assert not node.rounds("ready")
    assert not pacs.came
    # The sender of the first tries again. That of the second has nothing left to send.
    assert node.send(images) == [0] * 5
    node.wait_for_round("sent", 2)
    results = {str(one.StudyInstanceUID): one for one in pacs.objects.values()}
    first, second = results[uid_of("killed")], results[uid_of("only the end is missing")]
    assert (first.InstanceNumber, first.get("ImageComments", "")) == (5, "")
    assert second.InstanceNumber == 3
    assert "may be incomplete" in second.ImageComments
    assert pacs.came.total() == 2


def test_sigterm_ends_it_in_order_and_leaves_the_mark_of_what_was_open(node: Node) -> None:
    node.start()
    association = node.associate()
    association.send_c_store(study("open")[0])
    started = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - started < 10
    (folder,) = node.rounds("incoming")
    assert [path.name[:5] for path in folder.glob("*-*")] == ["open-"]
    assert json.loads((node.spool / "status.json").read_bytes())["state"] == "stopped"
    assert "stopped" in node.log_text.splitlines()[-1]


def test_killed_at_random_moments_it_loses_nothing_and_sends_nothing_twice(
    node: Node, pacs: Destination
) -> None:
    rng = random.Random(7)  # noqa: S311 -- moments, no secrets
    node.start()
    for number in range(3):
        node.send_until_taken(study(f"study {number}", slices=2))
        time.sleep(rng.uniform(0, 1.2))
        node.kill()
        node.start()
    pacs.start()
    node.wait_for_round("sent", 3)
    assert not node.rounds("failed")
    studies = {str(one.StudyInstanceUID): one.InstanceNumber for one in pacs.objects.values()}
    assert studies == {uid_of(f"study {number}"): 2 for number in range(3)}
    assert len(pacs.objects) == 3
