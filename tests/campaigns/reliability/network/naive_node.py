"""What pynetdicom's examples lead to: classify in the handler, keep results in memory, send them at a release."""

import ctypes
import signal
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, MRImageStorage, Verification

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1


class _Node:
    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._session = onnxruntime.InferenceSession(Path(config["model"]["bundle"]) / "model.onnx")
        self._studies: dict[str, list[Any]] = defaultdict(list)
        self._senders: dict[Any, set[str]] = defaultdict(set)

    def on_store(self, event: Any) -> int:
        """Classify at once."""
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        pixels = Image.fromarray((dataset.pixel_array // 8).astype(np.uint8)).convert("RGB")
        (wanted,) = self._session.get_inputs()
        values = np.asarray(pixels.resize(wanted.shape[:1:-1]), np.float32).transpose(2, 0, 1)[None]
        label = int(self._session.run(["logits"], {wanted.name: values / 255})[0].argmax())
        study = str(dataset.StudyInstanceUID)
        self._studies[study].append((dataset, label))
        self._senders[event.assoc].add(study)
        return 0

    def on_end(self, event: Any) -> None:
        """Send what there is."""
        entity = AE(ae_title="BRAIN")
        entity.add_requested_context(Comprehensive3DSRStorage)
        destination = self._config["destination"]
        association = entity.associate(destination["host"], destination["port"], ae_title="PACS")
        if association.is_established:
            for study in self._senders.pop(event.assoc, ()):
                association.send_c_store(_report(self._studies[study]))
            association.release()


def _report(answered: list[Any]) -> Dataset:
    first, report = answered[0][0], Dataset()
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID, report.SOPInstanceUID = Comprehensive3DSRStorage, generate_uid()
    report.StudyInstanceUID, report.SeriesInstanceUID = first.StudyInstanceUID, generate_uid()
    report.PatientID, report.PatientName, report.Modality = first.PatientID, first.PatientName, "SR"
    study, series = Dataset(), Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ReferencedSOPSequence = [_reference(dataset) for dataset, _ in answered]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = first.StudyInstanceUID, [series]
    report.CurrentRequestedProcedureEvidenceSequence = [study]
    return report


def _reference(dataset: Any) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = dataset.SOPClassUID
    reference.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    return reference


def main() -> None:
    """Serve until killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    config = tomllib.loads(Path(sys.argv[1]).read_text())
    node, entity = _Node(config), AE(ae_title="BRAIN")
    entity.add_supported_context(MRImageStorage)
    entity.add_supported_context(Verification)
    handlers: list[Any] = [(evt.EVT_C_STORE, node.on_store), (evt.EVT_RELEASED, node.on_end)]
    entity.start_server(("127.0.0.1", config["receive"]["port"]), evt_handlers=handlers)


if __name__ == "__main__":
    main()
