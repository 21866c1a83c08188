"""The onnx package reads accepted graphs the same way; graphs that could be read differently are refused."""

import random
from collections import Counter

import pytest
from google.protobuf.message import DecodeError
from graph_verdicts import rich_model, verdict
from wire_mutations import MUTATIONS, join, mutated, split, varint

from edge_infer.errors import BundleIntegrity, ContentRefused
from edge_infer.graph_facts import graph_facts


def test_a_graph_of_all_kinds_of_fields_is_read() -> None:
    assert verdict(rich_model().SerializeToString()) == "the same"


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


def test_a_flood_of_fields_ends_in_seconds() -> None:
    flood = join([(5 << 3 | 2, b"\x08\x01" * 1_000_001)])
    with pytest.raises(ContentRefused, match="more than 1,000,000 fields"):
        graph_facts(model_of((7 << 3 | 2, flood)))


def test_numbers_have_their_sign() -> None:
    model = rich_model()
    model.ir_version = -1
    assert graph_facts(model.SerializeToString()).ir_version == -1
    assert split(model.SerializeToString())[0] == (8, varint(-1))
