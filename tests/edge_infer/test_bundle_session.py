"""Whoever opens a bundle gets the verified bytes and the guard for its weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from tiny_bundle import scan

from benchmarks.operator_profile import profile_graphs
from edge_infer import saturation
from edge_infer.bundle import load_bundle
from edge_infer.bundle_session import open_bundle_session
from edge_infer.classifier import Classifier
from edge_infer.doctor import examine
from edge_infer.errors import BundleIntegrity
from edge_infer.preprocessing import preprocess
from edge_infer.saturation import PRECISION_OPTION
from train.evaluation.predictors import predictor

OPENERS: dict[str, Callable[[Path], object]] = {
    "open_bundle_session": lambda path: open_bundle_session(load_bundle(path)),
    "Classifier": Classifier.load,
    "brain-doctor": examine,
    "brain-train evaluate": predictor,
    "brain-bench profile": lambda path: profile_graphs(
        [("bundle", path / "model.onnx")], runs=1, threads=1
    ),
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
@pytest.mark.parametrize(("largest", "guarded"), [(127, True), (63, False)])
def test_every_opener_goes_by_the_largest_weight(
    make_bundle: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    opener: Callable[[Path], object],
    largest: int,
    guarded: bool,
) -> None:
    path = make_bundle(precision="int8", quantization={"largest_weight": largest})
    monkeypatch.setattr(saturation, "products_saturate", lambda: True)
    original = onnxruntime.InferenceSession
    found: list[bool] = []

    def noted(model: Any, options: Any, **named: Any) -> Any:
        opened = original(model, options, **named)
        try:
            entry = opened.get_session_options().get_session_config_entry(PRECISION_OPTION)
        except RuntimeError:  # not set at all
            entry = "0"
        found.append(entry == "1")
        return opened

    monkeypatch.setattr(onnxruntime, "InferenceSession", noted)
    opener(path)
    assert found[-1] is guarded


def test_a_file_that_changed_since_is_not_opened(own_bundle: Path) -> None:
    bundle = load_bundle(own_bundle)
    with (own_bundle / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleIntegrity, match="has changed since"):
        open_bundle_session(bundle)


def test_a_profile_tells_the_time_of_each_node(bundle_path: Path, tmp_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    session = open_bundle_session(bundle, num_threads=1, profile_prefix=tmp_path / "profile")
    session.run(preprocess(scan(), bundle.preprocessor))
    written = session.end_profiling()
    assert written.parent == tmp_path
    nodes = [event for event in json.loads(written.read_text()) if event.get("cat") == "Node"]
    assert any(event["args"]["op_name"] == "Conv" for event in nodes)
