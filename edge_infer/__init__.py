"""Run a brain-MRI classifier bundle on a workstation: no network, four small packages.

    from edge_infer import Classifier

    prediction = Classifier.load().predict("scan.jpg")
    prediction.decision, prediction.label, prediction.probabilities

Research use only. Not a medical device. Not for diagnosis.
"""

import importlib
import logging
import os
from typing import TYPE_CHECKING

# onnxruntime >= 1.29 writes an id to the home folder and looks up a host when it is imported; its
# own switch comes too late. Only this variable, set before the import, keeps it quiet.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from edge_infer.audit.log import AuditLog
    from edge_infer.bundle import Bundle, load_bundle, write_bundle
    from edge_infer.classifier import Classifier, Outcome
    from edge_infer.contract import RESEARCH_USE_ONLY
    from edge_infer.errors import BrainError
    from edge_infer.heatmap import draw_heatmap
    from edge_infer.image_file import read_image
    from edge_infer.prediction import ModelIdentity, Prediction
    from edge_infer.preprocessing import PreprocessorConfig, preprocess
    from edge_infer.version import __version__

__all__ = [
    "RESEARCH_USE_ONLY",
    "AuditLog",
    "BrainError",
    "Bundle",
    "Classifier",
    "ModelIdentity",
    "Outcome",
    "Prediction",
    "PreprocessorConfig",
    "__version__",
    "draw_heatmap",
    "load_bundle",
    "preprocess",
    "read_image",
    "write_bundle",
]

_HOMES = {
    "RESEARCH_USE_ONLY": "contract",
    "AuditLog": "audit.log",
    "BrainError": "errors",
    "Bundle": "bundle",
    "Classifier": "classifier",
    "ModelIdentity": "prediction",
    "Outcome": "classifier",
    "Prediction": "prediction",
    "PreprocessorConfig": "preprocessing",
    "__version__": "version",
    "draw_heatmap": "heatmap",
    "load_bundle": "bundle",
    "preprocess": "preprocessing",
    "read_image": "image_file",
    "write_bundle": "bundle",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    """Import public names when asked for, so that ``brain-infer --help`` answers at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
