import numpy as np
import onnx
import pytest
import torch

from edge_infer.contract import INPUT_NAME, OUTPUT_NAMES
from edge_infer.graph_facts import graph_facts
from edge_infer.preprocessing import to_pixel_values
from edge_infer.session import Session
from export.to_onnx import IR_VERSION, OPSET
from train.checkpoint import Checkpoint

ATOL = 1e-4


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_graph_gives_what_pytorch_gives_at_any_batch_size(
    checkpoint: Checkpoint, reference: Session, batch: int
) -> None:
    # Smooth images and a range of intensities: random pixels alone hide errors of sums.
    generator = np.random.default_rng(batch)
    coarse = generator.integers(0, 256, (batch, 8, 8), dtype=np.uint8)
    grey = np.kron(coarse, np.ones((8, 8), dtype=np.uint8))
    grey[0] //= 8
    pixel_values = to_pixel_values(grey, checkpoint.preprocessor)
    with torch.inference_mode():
        expected = checkpoint.model(torch.from_numpy(pixel_values))[: len(OUTPUT_NAMES)]
    for name, given, wanted in zip(
        OUTPUT_NAMES, reference.run(pixel_values), expected, strict=True
    ):
        assert given.shape == tuple(wanted.shape), name
        np.testing.assert_allclose(given, wanted.numpy(), rtol=0, atol=ATOL, err_msg=name)


def test_the_graph_keeps_the_contract(graph_bytes: bytes) -> None:
    facts = graph_facts(graph_bytes)
    assert (facts.opset, facts.ir_version) == (OPSET, IR_VERSION) == (18, 10)
    assert facts.inputs == (INPUT_NAME,)
    assert facts.outputs == OUTPUT_NAMES


def test_the_batch_is_free_and_the_size_is_fixed(graph_bytes: bytes) -> None:
    graph = onnx.load_from_string(graph_bytes).graph
    batch, *rest = graph.input[0].type.tensor_type.shape.dim
    assert batch.dim_param
    assert [dim.dim_value for dim in rest] == [3, 64, 64]
    shapes = {
        output.name: [dim.dim_value for dim in output.type.tensor_type.shape.dim][1:]
        for output in graph.output
    }
    assert shapes == {"logits": [4], "embeddings": [64], "evidence": [4, 4, 4]}
    batches = {output.type.tensor_type.shape.dim[0].dim_param for output in graph.output}
    assert batches == {batch.dim_param}


def test_the_file_is_one_and_names_no_folder_of_this_machine(
    checkpoint: Checkpoint, graph_bytes: bytes
) -> None:
    model = onnx.load_from_string(graph_bytes)
    assert all(not tensor.external_data for tensor in model.graph.initializer)
    weights = sum(value.nelement() for value in checkpoint.model.parameters())
    assert len(graph_bytes) > 4 * weights, "the weights are inside"
    text = graph_bytes.decode("latin-1")
    for trace in ("site-packages", ".py", "/home", 'File "'):
        assert trace not in text
    assert not model.functions


def test_the_evidence_of_the_graph_adds_up_to_its_logits(reference: Session) -> None:
    pixel_values = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    logits, _, evidence = reference.run(pixel_values)
    np.testing.assert_allclose(evidence.mean(axis=(2, 3)), logits, rtol=0, atol=1e-5)
    assert evidence.shape == (2, 4, 4, 4)
