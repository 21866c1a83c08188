"""The onnx package reads accepted graphs the same way; graphs that could be read differently are refused."""

import random
from collections import Counter
from dataclasses import FrozenInstanceError

import pytest
from google.protobuf.message import DecodeError
from graph_verdicts import rich_model, verdict
from onnx import TensorProto, helper
from tiny_bundle import tiny_model
from wire_mutations import MUTATIONS, join, mutated, split, varint

from edge_infer.errors import BundleIntegrity, ContentRefused
from edge_infer.graph_facts import GraphFacts, graph_facts


def test_a_graph_of_all_kinds_of_fields_is_read() -> None:
    assert verdict(rich_model().SerializeToString()) == "the same"


IDENTITY_THEN_LOOP = bytes.fromhex("3a120a1022084964656e7469747922044c6f6f70")


def model_of(*fields: tuple[int, bytes]) -> bytes:
    return join(list(fields))


def node(*fields: tuple[int, bytes]) -> bytes:
    """A model of one graph of one node."""
    return model_of((7 << 3 | 2, join([(1 << 3 | 2, join(list(fields)))])))


OP_TYPE, DOMAIN, ATTRIBUTE = 4 << 3 | 2, 7 << 3 | 2, 5 << 3 | 2
IDENTITY = (OP_TYPE, b"Identity")


@pytest.mark.parametrize(
    "data",
    [
        IDENTITY_THEN_LOOP,
        node((OP_TYPE, b"Loop"), IDENTITY),
        node(IDENTITY, (DOMAIN, b""), (DOMAIN, b"evil")),
        node((OP_TYPE | 1 << 35, b"Loop"), IDENTITY),
        node(IDENTITY, (ATTRIBUTE, join([(6 << 3 | 2, b"")]))),
        node(IDENTITY, (ATTRIBUTE, join([(11 << 3 | 2, b"")]))),
        node((OP_TYPE, b"EPContext"), (DOMAIN, b"com.microsoft")),
        node((OP_TYPE, b"BeamSearch"), (DOMAIN, b"com.microsoft")),
        # data_location 2**32 + 1 is 1, external, in 32 bits
        node(IDENTITY, (ATTRIBUTE, join([(5 << 3 | 2, join([(14 << 3, varint(2**32 + 1))]))]))),
        # a data_type, which is float32 in 32 bits
        node(IDENTITY, (ATTRIBUTE, join([(5 << 3 | 2, join([(2 << 3, varint(2**32 + 1))]))]))),
        # a type that is a tensor and a sequence; protobuf uses the last
        node(
            IDENTITY,
            (ATTRIBUTE, join([(14 << 3 | 2, join([(1 << 3 | 2, b""), (4 << 3 | 2, b"")]))])),
        ),
        node(IDENTITY) + model_of((7 << 3 | 2, join([(1 << 3 | 2, join([(OP_TYPE, b"Loop")]))]))),
        node(IDENTITY) + model_of((20 << 3 | 2, b"")),
        node(IDENTITY) + model_of((25 << 3 | 2, b"")),
        node(IDENTITY) + model_of((99 << 3 | 2, b"")),
        node(IDENTITY) + model_of((8 << 3 | 2, b""), (8 << 3 | 2, join([(10, b"ai.onnx")]))),
        node(IDENTITY) + model_of((14 << 3 | 2, b""), (14 << 3 | 2, b"")),
        b"\x08\x81\x00" + node(IDENTITY),
    ],
    ids=lambda data: data.hex()[:60],
)
def test_what_two_readers_could_take_for_two_graphs_is_refused(data: bytes) -> None:
    with pytest.raises(ContentRefused) as caught:
        graph_facts(data)
    assert caught.value.exit_code == 33


@pytest.mark.parametrize(
    "data", [b"\x3b\x3c", b"\x0b", b"\x08" + b"\xff" * 10 + b"\x01", b"\x3a\x05\x0a", b"\x08"]
)
def test_what_is_not_a_message_is_not_an_onnx_file(data: bytes) -> None:
    with pytest.raises(BundleIntegrity, match="not an ONNX file"):
        graph_facts(data)


def nested(depth: int) -> bytes:
    """A type of sequences of sequences."""
    inner = b""
    for _ in range(depth):
        inner = join([(4 << 3 | 2, join([(1 << 3 | 2, inner)]))])
    return node(IDENTITY, (ATTRIBUTE, join([(14 << 3 | 2, inner)])))


def test_deep_nesting_ends() -> None:
    graph_facts(nested(5))
    with pytest.raises(ContentRefused, match="nested"):
        graph_facts(nested(2000))


def test_numbers_have_their_sign() -> None:
    model = rich_model()
    model.ir_version = -1
    assert graph_facts(model.SerializeToString()).ir_version == -1
    assert split(model.SerializeToString())[0] == (8, varint(-1))


NOTHING = GraphFacts(ir_version=0, opset=0, inputs=(), outputs=(), metadata={}, last_sides={})


def test_what_a_file_does_not_state_is_zero_or_empty() -> None:
    assert graph_facts(model_of((7 << 3 | 2, b""))) == NOTHING


@pytest.mark.parametrize("data", [b"", b"\x08\x0a"])
def test_a_file_without_a_graph_is_not_an_onnx_file(data: bytes) -> None:
    with pytest.raises(BundleIntegrity, match=r"^model\.onnx: is not an ONNX file \(no graph\)"):
        graph_facts(data)


@pytest.mark.parametrize(
    ("shape", "side"),
    [
        ([2, 7], 7),
        ([7, 1], 1),
        ([5, 6, 7, 8], 8),
        ([9], 9),
        ([3, None], None),
        ([3, "n"], None),
        ([3, 0], None),
        ([3, -1], None),
        ([], None),
        (None, None),
    ],
)
def test_the_length_of_the_last_axis_is_that_of_each_output_that_states_it(
    shape: list[int | str | None] | None, side: int | None
) -> None:
    model = tiny_model()
    model.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, shape))
    stated = {} if side is None else {"more": side}
    facts = graph_facts(model.SerializeToString())
    assert facts.last_sides == {"logits": 4, "evidence": 4, **stated}
    assert facts.outputs == ("logits", "embeddings", "evidence", "more")


def test_an_output_that_is_no_tensor_has_no_last_axis() -> None:
    model = tiny_model()
    sequence = helper.make_tensor_sequence_value_info("more", TensorProto.FLOAT, [2, 7])
    model.graph.output.append(sequence)
    assert "more" not in graph_facts(model.SerializeToString()).last_sides


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"": 18}, 18),
        ({"ai.onnx": 17, "com.microsoft": 1}, 17),
        ({"com.microsoft": 1, "": 16}, 16),
        ({"com.microsoft": 1}, 0),
        ({}, 0),
    ],
)
def test_the_opset_is_that_of_onnxs_own_operators(versions: dict[str, int], expected: int) -> None:
    model = tiny_model()
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*each) for each in versions.items())
    assert graph_facts(model.SerializeToString()).opset == expected


@pytest.mark.parametrize("place", ["initializer", "t", "tensors"])
def test_weights_in_another_file_are_refused_wherever_they_are(place: str) -> None:
    model = rich_model()
    graph = model.graph
    held = {attribute.name: attribute for attribute in graph.node[-1].attribute}
    tensor = {
        "initializer": graph.initializer[-1],
        "t": held["t"].t,
        "tensors": held["tensors"].tensors[-1],
    }[place]
    tensor.data_location = TensorProto.EXTERNAL
    with pytest.raises(ContentRefused) as caught:
        graph_facts(model.SerializeToString())
    assert caught.value.message == (
        "model.onnx: weights lie in another file, expected all of them inside"
    )
    assert caught.value.hint == "export it again, as a single file"


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_operators_of_these_domains_are_read(domain: str) -> None:
    doc_string, overload = (6 << 3 | 2, b"my.domain"), (8 << 3 | 2, b"my.domain")
    graph_facts(node(IDENTITY, doc_string, (DOMAIN, domain.encode()), overload))


@pytest.mark.parametrize("domain", ["my.domain", "ai.onnx.ml", "com.microsoft.", " "])
def test_operators_of_other_domains_are_refused(domain: str) -> None:
    with pytest.raises(ContentRefused) as caught:
        graph_facts(node(IDENTITY, (DOMAIN, domain.encode())))
    assert caught.value.message == (
        f"model.onnx: operator 'Identity' is of domain {domain!r}, "
        "expected ONNX's own or com.microsoft"
    )


@pytest.mark.parametrize("operator", ["Loop", "Tile", "identity", ""])
def test_an_operator_that_is_not_known_is_refused_unless_it_is_asked_for(operator: str) -> None:
    data = node((OP_TYPE, operator.encode()))
    for also in ((), ("Scan",)):
        with pytest.raises(ContentRefused, match=f"holds operator {operator!r}, expected those"):
            graph_facts(data, also=also)
    graph_facts(data, also=(operator,))
    graph_facts(node(IDENTITY), also=(operator,))


def test_names_that_occur_twice_are_named() -> None:
    model = tiny_model(metadata={"a": "1", "b": "2"})
    assert graph_facts(model.SerializeToString()).metadata == {"a": "1", "b": "2"}
    model.metadata_props.add(key="a", value="3")
    with pytest.raises(ContentRefused, match="metadata_props has 'a' twice"):
        graph_facts(model.SerializeToString())
    model = tiny_model()
    model.opset_import.add(domain="ai.onnx", version=18)
    with pytest.raises(ContentRefused, match="two versions of the operators of domain ''"):
        graph_facts(model.SerializeToString())


def test_text_that_is_not_utf8_is_not_an_onnx_file() -> None:
    with pytest.raises(BundleIntegrity, match=r"not an ONNX file \(field 4 is not UTF-8\)"):
        graph_facts(node((OP_TYPE, b"Identity\xff")))


def test_facts_cannot_be_changed_and_are_named() -> None:
    with pytest.raises(FrozenInstanceError):
        NOTHING.opset = 18  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        GraphFacts(10, 18, (), (), {}, {})  # type: ignore[call-arg]


def test_a_flood_of_fields_ends_in_seconds() -> None:
    flood = join([(5 << 3 | 2, b"\x08\x01" * 1_000_001)])
    with pytest.raises(ContentRefused, match="more than 1,000,000 fields"):
        graph_facts(model_of((7 << 3 | 2, flood)))


def test_what_is_accepted_onnx_reads_in_the_same_way() -> None:
    base, rng = rich_model().SerializeToString(), random.Random(18)  # noqa: S311 -- no secrets
    seen: Counter[tuple[str, str]] = Counter()
    for _ in range(4000):
        name, data = mutated(base, rng)
        try:
            seen[name, verdict(data)] += 1
        except DecodeError:  # onnx refuses packed numbers cut short, which nobody reads wrongly
            seen[name, "refused"] += 1
    assert {name for name, _ in seen} == {mutation.__name__ for mutation in MUTATIONS}
    for always in ("pad_key", "pad_value", "high_tag", "group"):
        assert seen[always, "refused"] > 0
    assert seen["pad_key", "the same"] == seen["high_tag", "the same"] == 0
    assert seen["reorder", "the same"] > 10
    assert seen["split_in_two", "refused"] > 10
