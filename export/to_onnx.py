"""Turn a PyTorch model into one ONNX graph with named inputs and outputs and a dynamic batch."""

import contextlib
import io
import warnings

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from edge_infer.contract import INPUT_NAME, OUTPUT_NAMES
from export.graphs.builder import IR_VERSION, OPSET

__all__ = ["IR_VERSION", "OPSET", "export_graph"]


class _NamedOutputs(nn.Module):
    """A model that returns a plain tuple in the order of the contract, as the exporter needs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, embeddings, evidence."""
        output = self.model(pixel_values)
        return output.logits, output.embeddings, output.evidence


def export_graph(model: nn.Module, *, height: int, width: int) -> onnx.ModelProto:
    """Export a model in evaluation mode.

    It is traced with a batch of 2 and an explicit batch dimension. With a batch of 1 the exporter silently fixes the
    batch size (pytorch/pytorch#148886), and every other size then fails when the graph runs.

    Args:
        model: Takes pixel_values, float32 (B, 3, height, width).
        height: Rows.
        width: Columns.

    Returns:
        One graph, weights inside, opset 18, IR version 10.
    """
    example = torch.rand(2, 3, height, width)
    # The exporter prints its progress to stdout, which is for results, and warns about its own internals.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _NamedOutputs(model.eval()),
            (example,),
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={"pixel_values": {0: Dim("batch", min=1, max=1024)}},
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    graph = program.model_proto
    graph.ir_version = min(graph.ir_version, IR_VERSION)
    # The exporter's value infos and its notes at each node hold paths of this machine; the graph does not need them.
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.graph.value_info[:]
    del graph.functions[:]
    onnx.checker.check_model(graph)
    return graph
