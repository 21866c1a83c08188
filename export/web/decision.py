"""What the page needs beside the graph to decide as ``edge_infer`` does: decision.json, and the probe of JPEG."""

import io
from typing import Any

import numpy as np
from PIL import Image

from edge_infer.answer_lines import bundle_facts
from edge_infer.classifier import Classifier
from edge_infer.errors import BundleIncompatible
from edge_infer.image_limits import MAX_FILE_BYTES
from edge_infer.version import __version__
from train.phantoms import phantom

__all__ = ["DECISION_SCHEMA_VERSION", "decision_of", "probe_files"]

DECISION_SCHEMA_VERSION = 1

_PROBE_SIZE = (
    97,
    75,
)  # no multiple of the blocks of a JPEG, so that its right and lower rim are probed, too


def decision_of(classifier: Classifier, *, runtime_version: str) -> dict[str, Any]:
    """Return decision.json: the facts of ``bundle_facts``, the scope check's description and the known answers.

    Args:
        classifier: Of the bundle, with ``scope="enforce"``.
        runtime_version: Of onnxruntime-web.

    Raises:
        BundleIncompatible: The bundle has no known answers.
    """
    bundle = classifier.bundle
    if bundle.golden_png is None:
        raise BundleIncompatible(
            "manifest.json: holds no golden answers, so the page could not tell whether a browser computes rightly",
            hint="export the bundle again",
        )
    facts = {name: value for name, value in bundle_facts(classifier).items() if name != "runtime"}
    trust = bundle.manifest.get("trust")
    return {
        **facts,
        "schema_version": DECISION_SCHEMA_VERSION,
        "series_rule": False,  # the page answers images, not series
        "limits": {"image_bytes": MAX_FILE_BYTES},
        "scope_model": None if trust is None else trust["scope"],
        "golden": {
            "tolerance_logits": bundle.manifest["self_test"]["tolerance_logits"],
            "answers": [
                {"label": case.label, "logits": [float(logit) for logit in case.logits]}
                for case in bundle.golden_cases()
            ],
        },
        "versions": {"brain-edge": __version__, "onnxruntime-web": runtime_version},
    }


def probe_files() -> dict[str, bytes]:
    """Return a small colour JPEG and, as PNG, its pixels as Pillow decodes them.

    It is drawn, not scanned. The page compares: browsers decode JPEG themselves, and some return other pixels from a
    canvas than were drawn on it.
    """
    drawn = Image.fromarray(phantom("meningioma", np.random.default_rng(0), 128)).resize(
        _PROBE_SIZE
    )
    tinted = Image.merge("RGB", (drawn, drawn.point(lambda grey: grey * 7 // 8), drawn.rotate(9)))
    jpeg, png = io.BytesIO(), io.BytesIO()
    tinted.save(jpeg, "JPEG", quality=85)
    with Image.open(io.BytesIO(jpeg.getvalue())) as decoded:
        decoded.convert("RGB").save(png, "PNG", optimize=True)
    return {"probe.jpg": jpeg.getvalue(), "probe.png": png.getvalue()}
