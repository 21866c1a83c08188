"""The four places that state the contract: each contradiction is found, and the message names both places."""

import json
from dataclasses import replace
from typing import Any

import pytest

from edge_infer.contract import INPUT_NAME, LABELS, METADATA_KEY, OUTPUT_NAMES
from edge_infer.contract_check import (
    check_contract,
    check_embeddings,
    classes_of_config,
    labels_of_config,
)
from edge_infer.errors import (
    BundleError,
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
)
from edge_infer.graph_facts import GraphFacts
from edge_infer.preprocessing import PreprocessorConfig

CONFIG: dict[str, Any] = {"id2label": {str(number): name for number, name in enumerate(LABELS)}}
MANIFEST: dict[str, Any] = {
    "labels": list(LABELS),
    "image_size": {"height": 32, "width": 48},
    "opset": 18,
}
GRAPH = GraphFacts(
    ir_version=10,
    opset=18,
    inputs=(INPUT_NAME,),
    outputs=OUTPUT_NAMES,
    metadata={METADATA_KEY: json.dumps({"labels": LABELS})},
    last_sides={},
)
SWAPPED = [LABELS[1], LABELS[0], *LABELS[2:]]


def stating(**contract: Any) -> dict[str, Any]:
    """What the graph states, changed."""
    return {"metadata": {METADATA_KEY: json.dumps({"labels": LABELS, **contract})}}


def check(
    manifest: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    graph: dict[str, Any] | None = None,
) -> None:
    check_contract(
        {**MANIFEST, **(manifest or {})},
        {**CONFIG, **(config or {})},
        PreprocessorConfig(height=32, width=48),
        replace(GRAPH, **(graph or {})),
    )


@pytest.mark.parametrize("contract", [{}, {"negative_label": "no_tumor"}, {"more": 1}])
def test_files_that_agree_are_accepted(contract: dict[str, Any]) -> None:
    check(graph=stating(**contract))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"manifest": {"labels": SWAPPED}}, r"labels are .* in manifest\.json but .* config\.json"),
        ({"graph": stating(labels=SWAPPED)}, r"labels are .* in model\.onnx but .* config\.json"),
        (
            {"graph": stating(negative_label="glioma")},
            r"negative_label is 'glioma' in model\.onnx but 'no_tumor' in config\.json",
        ),
        (
            {"config": {"negative_label": "glioma"}, "graph": stating(negative_label="no_tumor")},
            r"negative_label is 'no_tumor' in model\.onnx but 'glioma' in config\.json",
        ),
        (
            {"manifest": {"image_size": {"height": 48, "width": 32}}},
            r"image size is .*48.* in manifest\.json but .*32.* in preprocessor_config\.json",
        ),
        ({"manifest": {"opset": 17}}, r"opset is 17 in manifest\.json but 18 in model\.onnx"),
        ({"graph": {"opset": 19}}, r"opset is 18 in manifest\.json but 19 in model\.onnx"),
    ],
    ids=str,
)
def test_a_contradiction_names_both_files(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleIntegrity, match=said):
        check(**changes)


@pytest.mark.parametrize(
    "graph",
    [
        {"inputs": ("image",)},
        {"inputs": ()},
        {"inputs": (INPUT_NAME, INPUT_NAME)},
        {"outputs": OUTPUT_NAMES[:2]},
        {"outputs": tuple(reversed(OUTPUT_NAMES))},
        {"inputs": ("image",), "outputs": ("logits",)},
    ],
    ids=str,
)
def test_other_inputs_or_other_outputs_are_incompatible(graph: dict[str, Any]) -> None:
    with pytest.raises(BundleIncompatible, match=r"graph is .* expected \['pixel_values'\] -> "):
        check(graph=graph)


@pytest.mark.parametrize(
    "stated", [None, "{}", "no json", "[]", '{"labels": 3}', '{"labels": null}']
)
def test_a_graph_without_labels_is_incomplete(stated: str | None) -> None:
    metadata = {} if stated is None else {METADATA_KEY: stated}
    with pytest.raises(BundleIncomplete, match=r"^model\.onnx: .*" + METADATA_KEY):
        check(graph={"metadata": metadata})


@pytest.mark.parametrize(
    "sides", [{}, {"embeddings": 16}, {"logits": 4, "embeddings": 16, "evidence": 8}]
)
def test_embeddings_of_the_same_or_of_no_stated_length_fit(sides: dict[str, int]) -> None:
    check_embeddings(16, replace(GRAPH, last_sides=sides))


def test_embeddings_of_another_length_do_not_fit() -> None:
    graph = replace(GRAPH, last_sides={"logits": 16, "embeddings": 12, "evidence": 16})
    with pytest.raises(BundleIntegrity) as caught:
        check_embeddings(16, graph)
    said = "scope.bin: is for embeddings of 16 numbers, but model.onnx gives 12"
    assert (caught.value.message, caught.value.hint) == (said, "export the bundle again")


def test_labels_come_in_the_order_of_their_ids() -> None:
    names = [f"kind {number}" for number in range(12)]
    shuffled = {str(number): names[number] for number in (11, 2, 0, 1, 10, 3, 9, 4, 8, 5, 7, 6)}
    assert labels_of_config({"id2label": shuffled}) == names


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        ({}, BundleIncomplete, "id2label is missing"),
        ({"id2label": ["a", "b"]}, BundleIncomplete, "id2label is missing"),
        ({"id2label": {"1": "a", "2": "b"}}, BundleIntegrity, r"\['1', '2'\], expected \['0', '1'"),
        ({"id2label": {"0": "a", "01": "b"}}, BundleIntegrity, "ids of id2label"),
        ({"id2label": {"0": "a"}}, BundleIncompatible, "are no classes"),
        ({"id2label": {"0": "a", "1": "a"}}, BundleIncompatible, "must differ"),
        ({"id2label": {"0": [], "1": {}}}, BundleIncompatible, "are no classes"),
        ({**CONFIG, "negative_label": "cyst"}, BundleIncompatible, "negative class 'cyst' is none"),
        ({**CONFIG, "negative_label": {}}, BundleIncompatible, "id2label and negative_label"),
    ],
    ids=str,
)
def test_what_are_no_classes_is_refused(
    config: dict[str, Any], error: type[BundleError], said: str
) -> None:
    with pytest.raises(error, match=rf"^config\.json: .*{said}"):
        classes_of_config(config)
