"""R21: studies that come interleaved, broken off, twice, while the archive is down and the node is killed."""

import random
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from dicom_files import mr_series
from node_runs import Node
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.network.archive import Archive, errors_of, not_installed
from scan_slices import GLIOMA, HEALTHY, SPECK
from tiny_bundle import files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle

__all__ = ["CAMPAIGN"]

_HERE = Path(__file__).parent
_STUDIES = 4
_REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
#: How long a node may take for the studies of a trial after the last was sent.
_LONGEST_S = 90.0
#: A node without a spool cannot be seen to be done.
_RAW_S = 2.0


@dataclass(frozen=True, slots=True)
class _Hospital:
    node: Node
    archive: Archive
    has_spool: bool


@dataclass(frozen=True, slots=True)
class _Study:
    uid: str
    patient: str
    images: list[Any]

    @property
    def instances(self) -> set[str]:
        return {str(one.SOPInstanceUID) for one in self.images}


def _opened(program: str, folder: Path) -> _Hospital:
    warnings.simplefilter("ignore")  # pynetdicom's, about sockets of associations that broke
    bundle = folder / "tiny-fp32"
    trust, series = tiny_trust(), tiny_series()
    write_bundle(bundle, files_with_scope(), manifest_body(trust=trust, series=series))
    node = Node(
        folder,
        answerer=str(_HERE / program),
        receive={"callers": ["*"]},
        complete={"quiet_s": 0.4, "after_abort_s": 60},
        model={"threads": 1, "bundle": str(bundle)},
        destination={"retry_first_s": 0.2, "retry_most_s": 1},
        limits={"max_waiting": 5000},
    )
    archive = Archive(folder / "archive", node.destination_port)
    archive.start()
    node.start()
    return _Hospital(node, archive, has_spool=program != "naive_node.py")


def _drawn(number: int, rng: random.Random) -> list[_Study]:
    """Studies of two patients, so that results may go to the right patient and yet to the wrong study."""
    studies = []
    for place in range(_STUDIES):
        slices = [rng.choice((SPECK, HEALTHY, GLIOMA)) for _ in range(rng.randint(2, 4))]
        patient = f"PATIENT {number} {place % 2}"
        volume = np.stack(slices).astype(np.uint16)
        window = {"WindowCenter": "128", "WindowWidth": "256"}
        images = mr_series(volume, study=f"{number} {place}", PatientID=patient, **window)
        studies.append(_Study(str(images[0].StudyInstanceUID), patient, images))
    return studies


def _trial(hospital: _Hospital, number: int, folder: Path) -> Seen:
    del folder
    rng = random.Random(number)  # noqa: S311 -- order and moments, no secrets
    # Trial 0 has all troubles, trial 7 none.
    breaks_off, is_down, is_killed = (not number & bit for bit in (1, 2, 4))
    node, archive = hospital.node, hospital.archive
    studies = _drawn(number, rng)
    before = len(node.rounds("sent"))
    given_up = len(node.rounds("failed"))
    if is_down:
        archive.stop()
    is_killed_early = is_killed and rng.random() < 0.5
    _send(node, studies, rng, breaks_off=breaks_off, kills=is_killed_early)
    if is_killed and not is_killed_early:
        time.sleep(rng.uniform(0.2, 1.5))
        node.kill()
        node.start()
    if is_down:
        time.sleep(rng.uniform(0.2, 1.5))
        archive.start()
    _wait(hospital, before + len(studies), given_up)
    _compare(studies, archive)
    troubles = [("abort", breaks_off), ("archive down", is_down), ("kill", is_killed)]
    kind = ", ".join(name for name, happens in troubles if happens) or "no trouble"
    return Seen(kind=f"answered once and rightly: {kind}", tries=len(studies))


def _send(
    node: Node, studies: list[_Study], rng: random.Random, *, breaks_off: bool, kills: bool
) -> None:
    """Send all images in disorder, some twice, over two associations at once."""
    images = [image for one in studies for image in one.images]
    images += rng.sample(images, 2)
    rng.shuffle(images)
    half = len(images) // 2
    senders = [_Sender(node, images[:half]), _Sender(node, images[half:])]
    middle = max(1, half // 2)
    _alternate(senders, middle)
    if kills:
        node.kill()
        node.start()
        node.send_until_taken(images)
        return
    if breaks_off:
        senders[1].begin_anew()
    _alternate(senders, len(images))
    for one in senders:
        one.association.release()


class _Sender:
    """Sends images over one association; one that breaks off is begun anew, as a PACS does."""

    def __init__(self, node: Node, images: list[Any]) -> None:
        self._node, self._images, self._sent = node, images, 0
        self.association = node.associate()

    def begin_anew(self) -> None:
        """Break off."""
        self.association.abort()
        self.association = self._node.associate()
        self._sent = 0

    def send_one(self, until: int) -> bool:
        """Send the next of the first ``until`` images; false if there is none."""
        if self._sent >= min(until, len(self._images)):
            return False
        status = _status(self.association, self._images[self._sent])
        if status is None:  # on a machine that is late this program gives the association up
            self.begin_anew()
        elif status != 0:
            raise Broken(f"an image was answered with status {status}")
        else:
            self._sent += 1
        return True


def _status(association: Any, image: Any) -> int | None:
    try:
        found: int | None = association.send_c_store(image).get("Status")
    except RuntimeError:  # pynetdicom's, where the association is gone
        return None
    return found


def _alternate(senders: list[_Sender], until: int) -> None:
    ends = time.monotonic() + _LONGEST_S
    senders_left = list(senders)
    while senders_left:
        senders_left = [one for one in senders_left if one.send_one(until)]
        if time.monotonic() > ends:
            raise Broken("images cannot be sent")


def _wait(hospital: _Hospital, rounds: int, given_up: int) -> None:
    """Wait until the node has nothing left to do."""
    node = hospital.node
    if not hospital.has_spool:
        time.sleep(_RAW_S)
        return
    ends = time.monotonic() + _LONGEST_S
    while (
        any(map(node.rounds, ("incoming", "ready", "results"))) or len(node.rounds("sent")) < rounds
    ):
        if len(node.rounds("failed")) > given_up:
            raise Broken(f"given up: {node.note('failed', -1).get('message', '')}")
        if time.monotonic() > ends:
            raise Broken("studies without an answer")
        time.sleep(0.05)


def _compare(studies: list[_Study], archive: Archive) -> None:
    reports: dict[str, dict[str, Any]] = defaultdict(dict)
    known, errors = {one.uid for one in studies}, list[str]()
    for path, found in archive.came():
        uid = str(found.StudyInstanceUID)
        if uid not in known:
            raise Broken("a result of another study")
        if found.SOPClassUID == _REPORT:
            reports[uid][str(found.SOPInstanceUID)] = found
        errors += errors_of(path)
    for one in studies:
        mine = list(reports[one.uid].values())
        if not mine:
            raise Broken("a study is lost")
        if len(mine) > 1:
            raise Broken("a study was answered twice")
        if mine[0].PatientID != one.patient:
            raise Broken("a study was answered for another patient")
        if _evidence(mine[0]) != one.instances:
            raise Broken("a study was answered by other images than its own")
    if errors:
        raise Broken(f"dciodvfy: {errors[0]}")


def _evidence(report: Any) -> set[str]:
    return {
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


CAMPAIGN = Campaign(
    id="R21",
    title="DICOM network",
    promise="Every study that was sent is answered once, from all of its images, to its own patient, in valid objects.",
    attack=(
        "sends four studies of two patients in disorder over two associations, some images twice; breaks off, kills "
        "the node, and has the archive down meanwhile"
    ),
    unit="studies",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=partial(_opened, "attacked_node.py"),
            what="`brain-node`, to dcmtk's `storescp`, checked by dicom3tools",
        ),
        "control": Subject(
            trial=_trial,
            prepare=partial(_opened, "late_node.py"),
            what="`brain-node` with a worker that at times answers for the study before",
        ),
        "raw": Subject(
            trial=_trial,
            prepare=partial(_opened, "naive_node.py"),
            what="pynetdicom with a classifier in its handler and results in memory",
        ),
    },
    ci={"ours": 1, "control": 1, "raw": 0},
    full={"ours": 250, "control": 16, "raw": 16},
    limit_s=150,
    chunk=8,
    processes=1,
    missing=not_installed,
    control_share=0.5,
)
