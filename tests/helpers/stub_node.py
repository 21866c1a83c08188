"""A node whose answers are drawn, for tests of everything around the classifier.

    python tests/helpers/stub_node.py CONFIG

It answers a study with one secondary capture that names the study, its UIDs made of those of the images. What a test
wants to go wrong is the protocol name of the images: ``crash``, ``slow``, ``refuse``, ``error`` or ``bug``. A file
called ``calm`` in the working folder makes ``crash`` and ``slow`` go right.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from edge_infer.audit.log import AuditLog
from edge_infer.errors import CorruptImage
from edge_infer.node.answering import Answer
from edge_infer.node.config import read_config
from edge_infer.node.log import log_to_stderr
from edge_infer.node.service import NodeService
from edge_infer.prediction import ModelIdentity

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def load_classifier(*_args: object, **_options: object) -> object:
    """Return what stands in for a classifier."""
    model = ModelIdentity(name="stub", precision="fp32", manifest_sha256="0" * 64)
    session = SimpleNamespace(provider="CPUExecutionProvider", num_threads=1)
    return SimpleNamespace(model=model, session=session, device="cpu", scope="enforce")


def answer_study(
    classifier: object,  # noqa: ARG001 -- the signature of an answerer
    images: Sequence[Path],
    out: Path,
    *,
    despite: Sequence[str] = (),  # noqa: ARG001
    predecessors: Sequence[Path] = (),
    warnings: Sequence[str] = (),
    log: AuditLog | None = None,
) -> Answer:
    """Answer as an ``Answerer`` does."""
    if log is not None:
        log.write([{"kind": "series", "input_sha256": None, "error": "stub"}])
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in images]
    trouble = headers[0].ProtocolName
    if trouble in ("crash", "slow") and Path("calm").exists():
        trouble = ""
    if trouble == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if trouble == "slow":
        time.sleep(60)
    if trouble == "refuse":
        return Answer(series=[], files=[], refused={"mosaic": len(images)})
    if trouble == "error":
        raise CorruptImage("the stub refuses", hint="none")
    if trouble == "bug":
        raise ValueError(f"a value of a header: {headers[0].PatientName}")
    path = out / "results" / "capture.dcm"
    path.parent.mkdir()
    _capture(headers, predecessors, warnings).save_as(path, enforce_file_format=True)
    return Answer(series=[{"slices": len(images)}], files=[path])


def _capture(
    headers: Sequence[Any], predecessors: Sequence[Path], warnings: Sequence[str]
) -> Dataset:
    meta = FileMetaDataset()
    uids = sorted(str(one.SOPInstanceUID) for one in headers)
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CAPTURE, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix="2.25.", entropy_srcs=uids)
    capture = Dataset()
    capture.file_meta = meta
    capture.SOPClassUID, capture.SOPInstanceUID = CAPTURE, meta.MediaStorageSOPInstanceUID
    capture.StudyInstanceUID = headers[0].StudyInstanceUID
    capture.SeriesInstanceUID = generate_uid(prefix="2.25.", entropy_srcs=["series", *uids])
    capture.PatientName, capture.PatientID = headers[0].PatientName, headers[0].PatientID
    capture.Modality, capture.ConversionType = "OT", "DI"
    capture.InstanceNumber = len(headers)
    capture.ImageComments = " ".join([*warnings, *(path.stem for path in predecessors)])
    return capture


def main() -> None:
    """Run the node."""
    config = read_config(Path(sys.argv[1]))
    log_to_stderr()
    service = NodeService(config, answering="stub_node")
    signal.signal(signal.SIGTERM, lambda _number, _frame: service.stop())
    service.run()


if __name__ == "__main__":
    main()
