"""The node among real software: Orthanc, dcmtk and dicom3tools on the loopback device of a network of its own.

    python tests/campaigns/hospital_network.py
    python tests/campaigns/hospital_network.py --studies 4 --kills 1 --outage 2 --memory 0

Needs root (for ``unshare -n``), Orthanc with its DICOMweb plugin, dcmtk, dicom3tools and iproute2. The parts:

round trip   storescu -> Orthanc -> node -> Orthanc -> DICOMweb; dciodvfy and dsrdump read what came
interleaved  the images of all studies shuffled, over two storescu at once
abort        associations broken off in the middle, and a sender that is killed
outage       Orthanc is down while studies are answered
kills        kill -9 of the node at random moments while two senders send
memory       many small studies, and the resident memory of node and worker

Every part counts studies lost, answered twice, or answered wrongly: by too few of their images, or under another
patient or study. Exit status 1 if any count is not 0.
"""

import argparse
import io
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "helpers"), str(ROOT)]
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pydicom  # noqa: E402 -- after the path
from dicom_files import drawn_volume, mr_series  # noqa: E402
from node_runs import Node, free_port, wait_for  # noqa: E402
from orthanc_server import Orthanc, program  # noqa: E402

REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_INSIDE = "BRAIN_EDGE_CAMPAIGN_INSIDE"


@dataclass
class Sent:
    """A study, and what a right answer to it refers to."""

    name: str
    uid: str
    patient: str
    instances: set[str]
    datasets: list[Any] = field(repr=False)


@dataclass
class Counts:
    """What became of the studies of a part."""

    part: str
    studies: int
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    seconds: float = 0.0
    remark: str = ""

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.twice or self.wrong)


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:7.1f} s] {text}", flush=True)


STARTED = time.monotonic()


class Hospital:
    """Orthanc and a node that know each other."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.node = Node(
            folder,
            answerer="real",
            receive={"callers": ["*"], "discard": [REPORT, CAPTURE]},
            complete={"quiet_s": 1.0, "after_abort_s": options.after_abort},
            destination={"retry_first_s": 0.5, "retry_most_s": 5},
            limits={"max_waiting": 5000},
        )
        self.orthanc = Orthanc(
            folder / "orthanc",
            dicom_port=self.node.destination_port,
            http_port=free_port(),
            node_port=self.node.port,
        )
        self.rng = random.Random(options.seed)  # noqa: S311 -- order and moments, no secrets
        self.counted_before: set[str] = set()
        size = options.size
        self.volume = drawn_volume(slices=options.slices, rows=size, columns=size)

    def study(self, name: str) -> Sent:
        """Draw a study of a patient of its own."""
        patient = f"PATIENT {name}"
        datasets = mr_series(self.volume, study=name, PatientID=patient)
        return Sent(
            name=name,
            uid=str(datasets[0].StudyInstanceUID),
            patient=patient,
            instances={str(one.SOPInstanceUID) for one in datasets},
            datasets=datasets,
        )

    def studies(self, part: str, count: int) -> list[Sent]:
        return [self.study(f"{part} {number}") for number in range(count)]

    def wait_until_sent(self, count: int, *, seconds: float) -> None:
        """Wait until the node has nothing left to do."""

        def is_idle() -> bool:
            folders = [self.node.spool / name for name in ("incoming", "ready", "results")]
            return not any(any(folder.iterdir()) for folder in folders)

        deadline = time.monotonic() + seconds
        said = 0.0
        while not (is_idle() and len(self.node.rounds("sent")) >= count):
            if time.monotonic() > deadline:
                say(f"TIMED OUT with {self.node.status()['studies']}")
                return
            if time.monotonic() - said > 15:
                said = time.monotonic()
                say(f"  {len(self.node.rounds('sent'))} rounds sent, waiting for {count}")
            time.sleep(0.2)

    def count(self, part: str, studies: list[Sent], started: float, remark: str = "") -> Counts:
        """Compare what Orthanc has with what was sent."""
        counts = Counts(part, len(studies), seconds=time.monotonic() - started, remark=remark)
        reports = defaultdict(list)
        for entry in self.orthanc.find("Instance", Modality="SR"):
            report = pydicom.dcmread(io.BytesIO(self.orthanc.file(entry["ID"])))
            reports[str(report.StudyInstanceUID)].append(report)
        for one in studies:
            found = reports.get(one.uid, [])
            counts.lost += not found
            counts.twice += len(found) > 1
            for report in found:
                is_right = report.PatientID == one.patient and evidence_of(report) == one.instances
                counts.wrong += not is_right
        known = {one.uid for one in studies}
        mine = {uid for uid in reports if uid not in self.counted_before}
        counts.wrong += len(mine - known)
        self.counted_before |= known
        say(
            f"{part}: {counts.studies} studies, {counts.lost} lost, {counts.twice} twice, {counts.wrong} wrong"
        )
        return counts


def evidence_of(report: Any) -> set[str]:
    """Return the images that a report is about."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def write(folder: Path, studies: list[Sent]) -> list[Path]:
    """Write the images as files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in studies:
        for number, dataset in enumerate(one.datasets):
            paths.append(folder / f"{one.name.replace(' ', '_')}.{number}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def storescu(called: str, port: int, paths: list[Path]) -> subprocess.Popen[bytes]:
    """Start dcmtk's sender."""
    return subprocess.Popen(
        [
            "storescu",
            "-q",
            "-aet",
            "MODALITY",
            "-aec",
            called,
            "127.0.0.1",
            str(port),
            *map(str, paths),
        ],
        stderr=subprocess.DEVNULL,
    )


def round_trip(hospital: Hospital) -> Counts:
    """Go the whole way once, and have the results read by other software."""
    from dicomweb_client import DICOMwebClient

    started = time.monotonic()
    one, orthanc, node = hospital.study("round trip"), hospital.orthanc, hospital.node
    sender = storescu("PACS", node.destination_port, write(hospital.folder / "round", [one]))
    assert sender.wait() == 0
    (kept,) = wait_for(
        lambda: orthanc.find("Study", StudyInstanceUID=one.uid), what="Orthanc's study"
    )
    wait_for(
        lambda: orthanc.get(f"/studies/{kept['ID']}")["IsStable"], seconds=30, what="stability"
    )
    job = orthanc.post("/modalities/brain/store", kept["ID"])
    say(
        f"Orthanc has sent {job.get('InstancesCount')} images, {job.get('FailedInstancesCount')} failed"
    )
    hospital.wait_until_sent(1, seconds=120)
    client = DICOMwebClient(orthanc.dicomweb)
    modalities = defaultdict(list)
    for series in client.search_for_series(one.uid):
        modality = series["00080060"]["Value"][0]
        syntax = (("application/dicom", "1.2.840.10008.1.2.1"),)
        modalities[modality] += client.retrieve_series(
            one.uid, series["0020000E"]["Value"][0], media_types=syntax
        )
    say("over DICOMweb: " + ", ".join(f"{len(x)} {name}" for name, x in sorted(modalities.items())))
    counts = hospital.count("round trip", [one], started)
    errors = checked_objects(hospital.folder, [*modalities["SR"], *modalities["OT"]])
    counts.wrong += errors
    counts.lost += not modalities["OT"]
    # Sent again by Orthanc, with its results, it is no new study, and nothing new comes back.
    orthanc.post("/modalities/brain/store", kept["ID"])
    time.sleep(2.5)
    again = hospital.count("round trip, sent again", [one], started)
    counts.twice += again.twice
    counts.remark = (
        f"{len(modalities['SR'])} SR, {len(modalities['OT'])} SC, {errors} dciodvfy errors"
    )
    return counts


def checked_objects(folder: Path, objects: list[Any]) -> int:
    """Return how many errors dciodvfy and dsrdump find."""
    errors = 0
    for number, dataset in enumerate(objects):
        path = folder / f"returned.{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        done = subprocess.run(
            ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
        )
        found = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        errors += len(found)
        for line in found:
            say(f"dciodvfy: {line}")
        if dataset.SOPClassUID == REPORT:
            dump = subprocess.run(["dsrdump", path], capture_output=True, text=True, check=False)
            errors += dump.returncode != 0 or "Measurement Group" not in dump.stdout
    return errors


def interleaved(hospital: Hospital) -> Counts:
    """Two senders at once, each with images of all studies in disorder."""
    started = time.monotonic()
    studies = hospital.studies("interleaved", hospital.options.studies)
    paths = write(hospital.folder / "interleaved", studies)
    hospital.rng.shuffle(paths)
    before = len(hospital.node.rounds("sent"))
    half = len(paths) // 2
    senders = [storescu("BRAIN", hospital.node.port, part) for part in (paths[:half], paths[half:])]
    assert [one.wait() for one in senders] == [0, 0]
    took = time.monotonic() - started
    say(f"{len(paths)} images received over two associations")
    hospital.wait_until_sent(before + len(studies), seconds=60 + 5 * len(studies))
    return hospital.count(
        "interleaved", studies, started, f"{len(paths)} images taken in {took:.1f} s"
    )


def abort(hospital: Hospital) -> Counts:
    """Break off in the middle: no answer until the study was sent whole."""
    started = time.monotonic()
    studies = hospital.studies("abort", max(2, hospital.options.studies // 10))
    node = hospital.node
    before = len(node.rounds("sent"))
    for number, one in enumerate(studies):
        part = one.datasets[: max(1, len(one.datasets) // 2)]
        if number % 2:
            node.send(part, ending="abort")
        else:
            kill_sender(hospital, one, len(part))
    time.sleep(3)  # three times the quiet time
    counts = hospital.count("abort, before the rest", studies, started)
    answered_early = counts.studies - counts.lost
    hospital.counted_before -= {one.uid for one in studies}
    for one in studies:
        node.send_until_taken(one.datasets)
    hospital.wait_until_sent(before + len(studies), seconds=120)
    counts = hospital.count(
        "abort", studies, started, f"{answered_early} answered before the rest came"
    )
    counts.wrong += answered_early
    return counts


def kill_sender(hospital: Hospital, one: Sent, images: int) -> None:
    """Kill a process that has sent a part of a study and holds its association open."""
    folder = hospital.folder / "killed sender"
    paths = write(folder, [one])[:images]
    code = (
        "import sys, os, pydicom; sys.path.insert(0, sys.argv[1])\n"
        "from pynetdicom import AE\n"
        "ae = AE('KILLED'); ae.add_requested_context('1.2.840.10008.5.1.4.1.1.4')\n"
        "a = ae.associate('127.0.0.1', int(sys.argv[2]), ae_title='BRAIN')\n"
        "[a.send_c_store(pydicom.dcmread(p)) for p in sys.argv[3:]]\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(hospital.node.port), *map(str, paths)],
        check=False,
        stderr=subprocess.DEVNULL,
    )


def outage(hospital: Hospital) -> Counts:
    """The destination is down while studies come and are answered."""
    started = time.monotonic()
    studies = hospital.studies("outage", max(2, hospital.options.studies // 5))
    before = len(hospital.node.rounds("sent"))
    hospital.orthanc.stop()
    say("Orthanc is down")
    for one in studies:
        hospital.node.send_until_taken(one.datasets)
    time.sleep(max(0.0, hospital.options.outage - (time.monotonic() - started)))
    waiting = len(hospital.node.rounds("results"))
    problem = hospital.node.status()["destination"]["problem"]
    hospital.orthanc.start()
    say(f"Orthanc is up again; {waiting} studies waited ({problem})")
    hospital.wait_until_sent(before + len(studies), seconds=120)
    remark = f"{hospital.options.outage:.0f} s down, {waiting} studies waited"
    return hospital.count("outage", studies, started, remark)


def kills(hospital: Hospital) -> Counts:
    """Kill the node at random moments while two senders send."""
    started = time.monotonic()
    node, options = hospital.node, hospital.options
    studies = hospital.studies("kills", options.studies)
    before = len(node.rounds("sent"))
    todo, lock = list(studies), threading.Lock()
    done = threading.Event()

    def send_all() -> None:
        while True:
            with lock:
                if not todo:
                    return
                one = todo.pop()
            node.send_until_taken(one.datasets)
            # Paced, so that kills fall on receiving, classifying and sending alike.
            done.wait(options.kills * 4 / max(1, len(studies)))

    senders = [threading.Thread(target=send_all) for _ in range(2)]
    for sender in senders:
        sender.start()
    for number in range(options.kills):
        time.sleep(hospital.rng.uniform(0.1, 3.0))
        status = {
            stage: len(node.rounds(stage)) for stage in ("incoming", "ready", "results", "sent")
        }
        say(f"kill -9, number {number + 1}: {status}")
        node.kill()
        node.start()
    for sender in senders:
        sender.join()
    hospital.wait_until_sent(before + len(studies), seconds=120 + 5 * len(studies))
    return hospital.count("kills", studies, started, f"{options.kills} times kill -9")


def resident_mb(pid: int | None) -> float:
    """Return the resident memory of a process in MiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    (line,) = [line for line in lines if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def memory(hospital: Hospital) -> tuple[Counts, list[str]]:
    """Send many studies and look at the memory."""
    node, count = hospital.node, hospital.options.memory
    node.stop()
    node.start()
    wait_for(lambda: node.status()["pid"] == node.pid, what="a status")
    started = time.monotonic()
    before = len(node.rounds("sent"))
    lines, studies = [], []

    def look(done: int) -> None:
        status = node.status()
        own, worker = resident_mb(status["pid"]), resident_mb(status["worker_pid"])
        lines.append(f"{done:6} studies  node {own:6.1f} MiB  worker {worker:6.1f} MiB")
        say(f"memory after {lines[-1].strip()}")

    look(0)
    marks = sorted({min(count, mark) for mark in (100, 250, 500, 750, 1000, count)})
    for mark in marks:
        new = [hospital.study(f"memory {number}") for number in range(len(studies), mark)]
        for one in new:
            node.send_until_taken(one.datasets)
            one.datasets = []
        studies += new
        hospital.wait_until_sent(before + len(studies), seconds=60 + 5 * len(new))
        look(mark)
    took = time.monotonic() - started
    counts = hospital.count("memory", studies, started, f"{took / count:.2f} s a study")
    return counts, lines


PARTS = {
    "round-trip": round_trip,
    "interleaved": interleaved,
    "abort": abort,
    "outage": outage,
    "kills": kills,
}


def inside(options: argparse.Namespace) -> int:
    """Run the parts, in the network namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Orthanc and the node end, too
    folder = Path(tempfile.mkdtemp(prefix="hospital-"))
    hospital = Hospital(folder, options)
    table, lines = [], []
    try:
        hospital.orthanc.start()
        hospital.node.start()
        say(f"Orthanc and the node run in {folder.name}")
        for name, part in PARTS.items():
            if options.only in ("", name) and (name != "kills" or options.kills):
                table.append(part(hospital))
        if options.memory and options.only in ("", "memory"):
            counts, lines = memory(hospital)
            table.append(counts)
        canaries = [
            word for word in ("CANARY", "PATIENT ") if word in hospital.node.log_text.upper()
        ]
        failed = len(hospital.node.rounds("failed"))
    finally:
        hospital.node.end()
        hospital.orthanc.stop()
    show(table, lines, failed, canaries)
    is_right = all(one.is_right for one in table) and not failed and not canaries
    if options.keep or not is_right:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    return 0 if is_right else 1


def show(table: list[Counts], lines: list[str], failed: int, canaries: list[str]) -> None:
    """Print what was found."""
    processor = next(
        (
            x.partition(":")[2].strip()
            for x in Path("/proc/cpuinfo").read_text().splitlines()
            if x.startswith("model name")
        ),
        "unknown",
    )
    print(f"\npython tests/campaigns/hospital_network.py {shlex.join(sys.argv[1:])}".rstrip())
    print(f"processor {processor}, {len(os.sched_getaffinity(0))} cores")
    print(
        f"{'part':<12} {'studies':>8} {'lost':>6} {'twice':>6} {'wrong':>6} {'seconds':>8}  remark"
    )
    for one in table:
        numbers = (
            f"{one.studies:>8} {one.lost:>6} {one.twice:>6} {one.wrong:>6} {one.seconds:>8.1f}"
        )
        print(f"{one.part:<12} {numbers}  {one.remark}")
    print("\n".join(lines))
    print(f"failed rounds {failed}, canaries in log, notes and status {len(canaries)}")


def main() -> int:
    """Run it, in a network of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--size", type=int, default=128, help="rows and columns of a slice")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--outage", type=float, default=60, help="seconds")
    parser.add_argument("--after-abort", type=float, default=45, help="seconds")
    parser.add_argument("--memory", type=int, default=1000, help="studies; 0 leaves the part out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", choices=["", *PARTS, "memory"], help="one part")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args()
    if os.environ.get(_INSIDE):
        return inside(options)
    missing = [
        name
        for name in ("unshare", "ip", "storescu", "dciodvfy", "dsrdump")
        if not shutil.which(name)
    ]
    if program() is None:
        missing.append("Orthanc with its DICOMweb plugin")
    if missing or os.geteuid() != 0:
        print(f"cannot run: {', '.join(missing) or 'needs root'}", file=sys.stderr)
        return 2
    command = ["unshare", "-n", sys.executable, __file__, *sys.argv[1:]]
    done = subprocess.run(command, env={**os.environ, _INSIDE: "1"}, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
