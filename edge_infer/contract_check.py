"""Check that the four places that state the contract agree: manifest, config, preprocessing and graph."""

from collections.abc import Mapping
from typing import Any

from edge_infer.classes import NEGATIVE_FIELD, Classes
from edge_infer.contract import INPUT_NAME, METADATA_KEY, OUTPUT_NAMES, SCOPE_FILE
from edge_infer.errors import BundleIncompatible, BundleIncomplete, BundleIntegrity
from edge_infer.graph_facts import GraphFacts
from edge_infer.plain_json import parse_object, shown_value, why
from edge_infer.preprocessing import PreprocessorConfig

__all__ = ["check_contract", "check_embeddings", "classes_of_config", "labels_of_config"]


def check_contract(
    manifest: Mapping[str, Any],
    config: Mapping[str, Any],
    preprocessor: PreprocessorConfig,
    graph: GraphFacts,
) -> None:
    """Compare what the files of a bundle say about labels, sizes and tensors.

    Raises:
        BundleIntegrity: They contradict each other.
        BundleIncomplete: One of them lacks it.
        BundleIncompatible: The graph has other inputs or outputs than this package expects.
    """
    labels = labels_of_config(config)
    if manifest["labels"] != labels:
        raise BundleIntegrity(
            f"labels are {shown_value(manifest['labels'])} in manifest.json "
            f"but {shown_value(labels)} in config.json"
        )
    in_graph = _graph_contract(graph.metadata)
    if in_graph["labels"] != labels:
        raise BundleIntegrity(
            f"labels are {shown_value(in_graph['labels'])} in model.onnx "
            f"but {shown_value(labels)} in config.json"
        )
    negative = classes_of_config(config).negative
    if in_graph.get(NEGATIVE_FIELD, negative) != negative:
        raise BundleIntegrity(
            f"{NEGATIVE_FIELD} is {shown_value(in_graph[NEGATIVE_FIELD])} in model.onnx "
            f"but {shown_value(negative)} in config.json"
        )
    size = {"height": preprocessor.height, "width": preprocessor.width}
    if manifest["image_size"] != size:
        raise BundleIntegrity(
            f"image size is {shown_value(manifest['image_size'])} in manifest.json "
            f"but {size} in preprocessor_config.json"
        )
    if manifest["opset"] != graph.opset:
        raise BundleIntegrity(
            f"opset is {shown_value(manifest['opset'])} in manifest.json "
            f"but {graph.opset} in model.onnx"
        )
    if graph.inputs != (INPUT_NAME,) or graph.outputs != OUTPUT_NAMES:
        raise BundleIncompatible(
            f"model.onnx: graph is {shown_value(list(graph.inputs))} "
            f"-> {shown_value(list(graph.outputs))}, "
            f"expected {[INPUT_NAME]} -> {list(OUTPUT_NAMES)}"
        )


def check_embeddings(dim: int, graph: GraphFacts) -> None:
    """Compare the scope check with the graph whose embeddings it is made for.

    Args:
        dim: Numbers of an embedding, as the scope check has them.
        graph: Its ``embeddings`` may have any length if the file states none.

    Raises:
        BundleIntegrity: They differ.
    """
    name = OUTPUT_NAMES[1]
    in_graph = graph.last_sides.get(name, dim)
    if in_graph != dim:
        raise BundleIntegrity(
            f"{SCOPE_FILE}: is for {name} of {dim} numbers, but model.onnx gives {in_graph}",
            hint="export the bundle again",
        )


def labels_of_config(config: Mapping[str, Any]) -> list[Any]:
    """Return the labels of config.json in the order of their ids; their type is not checked.

    Raises:
        BundleIncomplete: There is no ``id2label``.
        BundleIntegrity: Its ids are not 0, 1, 2, ...
    """
    id2label = config.get("id2label")
    if not isinstance(id2label, dict):
        raise BundleIncomplete("config.json: field id2label is missing")
    ids = [str(number) for number in range(len(id2label))]
    if set(id2label) != set(ids):
        raise BundleIntegrity(
            f"config.json: ids of id2label are {shown_value(sorted(id2label))}, "
            f"expected {shown_value(ids)}"
        )
    return [id2label[number] for number in ids]


def classes_of_config(config: Mapping[str, Any]) -> Classes:
    """Return the classes of config.json.

    Raises:
        BundleIncomplete: There is no ``id2label``.
        BundleIntegrity: Its ids are not 0, 1, 2, ...
        BundleIncompatible: The names or the negative class are none of classes.
    """
    try:
        return Classes.from_config(labels_of_config(config), config)
    except ValueError as error:
        raise BundleIncompatible(
            f"config.json: id2label and {NEGATIVE_FIELD} are no classes ({why(error)})",
            hint="export the bundle again",
        ) from error


def _graph_contract(metadata: Mapping[str, str]) -> dict[str, Any]:
    if METADATA_KEY not in metadata:
        raise BundleIncomplete(f"model.onnx: metadata_props lacks {METADATA_KEY}")
    try:
        contract = parse_object(metadata[METADATA_KEY])
        return {**contract, "labels": list(contract["labels"])}
    except (ValueError, KeyError, TypeError) as error:
        raise BundleIncomplete(
            f"model.onnx: {METADATA_KEY} in metadata_props has no labels"
        ) from error
