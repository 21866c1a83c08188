import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from edge_infer.contract import OUTPUT_NAMES
from edge_infer.errors import ParityFailed
from edge_infer.session import Session, open_session
from export import bundling
from export.bundling import export_bundle
from export.parity import ATOL, FP16_SHARE, check_parity
from train.checkpoint import Checkpoint
from train.models.two_questions import TwoQuestions

SIZE = {"height": 64, "width": 64}


def test_parity_states_what_was_found_and_what_is_allowed(
    checkpoint: Checkpoint, reference: Session
) -> None:
    report = check_parity(checkpoint.model, reference, **SIZE)
    assert (report["atol"], report["batch_sizes"]) == (1e-4, [1, 3, 8])
    assert set(report["max_abs_difference"]) == set(OUTPUT_NAMES)
    assert 0 < max(report["max_abs_difference"].values()) <= ATOL


@pytest.mark.parametrize(
    ("weight", "output"),
    [("classifier.bias", "logits"), ("layernorm.weight", "logits"), ("cvt", "logits")],
)
def test_weights_changed_after_the_export_are_noticed(
    checkpoint: Checkpoint, reference: Session, weight: str, output: str
) -> None:
    changed = copy.deepcopy(checkpoint.model)
    name, parameter = next(
        (name, value) for name, value in changed.named_parameters() if name.startswith(weight)
    )
    with torch.no_grad():
        parameter.view(-1)[0] += 0.05
    with pytest.raises(ParityFailed, match=rf"{output} differs by .* allowed is 1e-04") as failed:
        check_parity(changed, reference, **SIZE)
    assert failed.value.exit_code == 85
    assert name


class Renamed(torch.nn.Module):
    """Gives outputs of other shapes."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits, embeddings, evidence, *_ = self.model(pixel_values)
        return logits, embeddings[:, :-1], evidence


def test_another_shape_is_noticed(checkpoint: Checkpoint, reference: Session) -> None:
    with pytest.raises(ParityFailed, match=r"embeddings has shape \(1, 64\) at batch 1"):
        check_parity(Renamed(checkpoint.model).eval(), reference, **SIZE)


def spoilt(graph_bytes: bytes, change: Callable[[NDArray[np.float32]], None]) -> onnx.ModelProto:
    model = onnx.load_from_string(graph_bytes)
    bias = next(
        tensor for tensor in model.graph.initializer if tensor.name.endswith("classifier.bias")
    )
    values = numpy_helper.to_array(bias).copy()
    change(values)
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    return model


def test_a_graph_that_gives_nan_is_noticed(checkpoint: Checkpoint, graph_bytes: bytes) -> None:
    graph = spoilt(graph_bytes, lambda values: values.fill(np.nan))
    with pytest.raises(ParityFailed, match="differs by nan"):
        check_parity(checkpoint.model, open_session(graph.SerializeToString()), **SIZE)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_nothing_is_written_when_parity_fails(
    checkpoint: Checkpoint,
    graph_bytes: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
) -> None:
    def add(values: NDArray[np.float32]) -> None:
        values += 2e-4  # twice what is allowed

    monkeypatch.setattr(bundling, "float_graph", lambda *_, **__: spoilt(graph_bytes, add))
    with pytest.raises(ParityFailed):
        export_bundle(
            checkpoint,
            tmp_path / "bundle",
            precision=precision,
            images=None,
            metrics={},
            command="",
        )
    assert list(tmp_path.iterdir()) == []


def test_half_precision_has_its_own_tolerance_and_it_is_kept(
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(bundling, "FP16_ATOL", 1e-6)
    with pytest.raises(ParityFailed, match="allowed is 1e-06"):
        export_bundle(
            checkpoint,
            tmp_path / "bundle",
            precision="fp16",
            images=None,
            metrics={},
            command="",
        )
    assert list(tmp_path.iterdir()) == []


class Concentrated(torch.nn.Module):
    """A head that puts the whole logit on one place: evidence is as many times larger as there are places."""

    def __init__(self, error: float, head: torch.nn.Module) -> None:
        super().__init__()
        self.error = error
        self.classifier = head

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits = torch.full((len(pixel_values), 4), 5.0)
        evidence = torch.zeros(len(pixel_values), 4, 14, 14)
        evidence[:, :, 3, 3] = 14 * 14 * 5.0 + self.error
        return logits, logits, evidence


@pytest.mark.parametrize(
    ("head", "error", "is_refused"),
    [
        (TwoQuestions(2, 4), 0.05, False),
        (TwoQuestions(2, 4), 0.2, True),
        (torch.nn.Linear(2, 4), 0.05, True),
    ],
)
def test_evidence_of_two_questions_may_differ_by_a_share_of_its_size(
    head: torch.nn.Module, error: float, is_refused: bool
) -> None:
    class Given:
        def run(self, pixel_values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            outputs = Concentrated(error, head)(torch.from_numpy(pixel_values))
            return [it.numpy() for it in outputs]

    given: Any = Given()
    if is_refused:
        with pytest.raises(ParityFailed, match="evidence differs"):
            check_parity(Concentrated(0, head), given, **SIZE)
    else:
        report = check_parity(Concentrated(0, head), given, **SIZE)
        assert report["atol_evidence"] == pytest.approx(1e-4 * 14 * 14 * 5)


def test_half_precision_has_a_share_of_its_own() -> None:
    head = TwoQuestions(2, 4)

    class Given:
        def __init__(self, error: float) -> None:
            self.error = error

        def run(self, pixel_values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            return [
                it.numpy() for it in Concentrated(self.error, head)(torch.from_numpy(pixel_values))
            ]

    near: Any = Given(0.004 * 14 * 14 * 5)  # as measured of efficientnet-lite
    check_parity(Concentrated(0, head), near, **SIZE, atol=0.1, share=FP16_SHARE)
    far: Any = Given(0.02 * 14 * 14 * 5)
    with pytest.raises(ParityFailed, match="evidence differs"):
        check_parity(Concentrated(0, head), far, **SIZE, atol=0.1, share=FP16_SHARE)
