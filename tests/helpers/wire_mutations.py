"""Change the wire encoding of a protocol-buffer message in ways that readers accept, or read differently."""

import random
from collections.abc import Callable

from onnx import ModelProto

__all__ = ["MUTATIONS", "facts_of_onnx", "mutated", "varint"]


def varint(value: int, *, padding: int = 0) -> bytes:
    """Encode a number, with ``padding`` more bytes than it needs."""
    encoded = bytearray()
    value %= 2**64
    while True:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
        if not value:
            break
    encoded += b"\x80" * padding
    encoded[-1] &= 0x7F
    return bytes(encoded)


_FIXED = {1: 8, 5: 4}


def number_at(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Split a canonical message: key and payload (of length-delimited fields without the length) of each field."""
    fields, position = [], 0
    while position < len(data):
        key, position = number_at(data, position)
        if key & 7 == 2:
            size, position = number_at(data, position)
            end = position + size
        else:
            end = number_at(data, position)[1] if key & 7 == 0 else position + _FIXED[key & 7]
        if end > len(data):
            raise ValueError("cut short")
        fields.append((key, data[position:end]))
        position = end
    return fields


def join(fields: list[tuple[int, bytes]]) -> bytes:
    return b"".join(
        varint(key) + (varint(len(payload)) if key & 7 == 2 else b"") + payload
        for key, payload in fields
    )


Fields = list[tuple[int, bytes]]


def duplicate(fields: Fields, at: int, _rng: random.Random) -> bytes:
    return join([*fields[: at + 1], fields[at], *fields[at + 1 :]])


def last_again(fields: Fields, at: int, _rng: random.Random) -> bytes:
    return join([*fields, fields[at]])


def split_in_two(fields: Fields, at: int, rng: random.Random) -> bytes:
    """A nested message in two parts, which protobuf merges."""
    key, payload = fields[at]
    inner = split(payload) if key & 7 == 2 else []
    cut = rng.randrange(len(inner) + 1)
    return join(
        [*fields[:at], (key, join(inner[:cut])), (key, join(inner[cut:])), *fields[at + 1 :]]
    )


def reorder(fields: Fields, _at: int, rng: random.Random) -> bytes:
    shuffled = fields[:]
    rng.shuffle(shuffled)
    return join(shuffled)


def drop(fields: Fields, at: int, _rng: random.Random) -> bytes:
    return join(fields[:at] + fields[at + 1 :])


def pad_key(fields: Fields, at: int, rng: random.Random) -> bytes:
    key, payload = fields[at]
    size = varint(len(payload)) if key & 7 == 2 else b""
    middle = varint(key, padding=rng.randint(1, 3)) + size + payload
    return join(fields[:at]) + middle + join(fields[at + 1 :])


def pad_value(fields: Fields, at: int, rng: random.Random) -> bytes:
    key, payload = fields[at]
    number = len(payload) if key & 7 == 2 else number_at(payload, 0)[0] if key & 7 == 0 else 0
    rest = payload if key & 7 == 2 else b""
    middle = varint(key) + varint(number, padding=rng.randint(1, 3)) + rest
    return join(fields[:at]) + middle + join(fields[at + 1 :])


def high_tag(fields: Fields, at: int, rng: random.Random) -> bytes:
    """Bits above the 32 of a tag, which some readers cut off and some do not."""
    key, payload = fields[at]
    size = varint(len(payload)) if key & 7 == 2 else b""
    middle = varint(key | 1 << rng.randint(32, 62)) + size + payload
    return join(fields[:at]) + middle + join(fields[at + 1 :])


def high_number(fields: Fields, at: int, rng: random.Random) -> bytes:
    key, payload = fields[at]
    if key & 7:
        return join(fields)
    value = number_at(payload, 0)[0] | 1 << rng.randint(20, 63)
    return join([*fields[:at], (key, varint(value)), *fields[at + 1 :]])


def unknown(fields: Fields, at: int, rng: random.Random) -> bytes:
    number = rng.choice([rng.randint(1, 40), rng.randint(1, 2**29 - 1)])
    kind = rng.choice([0, 1, 2, 5])
    payload = {0: varint(rng.getrandbits(20)), 1: bytes(8), 2: rng.randbytes(4), 5: bytes(4)}[kind]
    return join([*fields[:at], (number << 3 | kind, payload), *fields[at:]])


def group(fields: Fields, at: int, rng: random.Random) -> bytes:
    number = rng.randint(1, 40)
    whole = varint(number << 3 | 3) + join(fields[at : at + 1]) + varint(number << 3 | 4)
    return join(fields[:at]) + whole + join(fields[at:])


def other_wire_type(fields: Fields, at: int, rng: random.Random) -> bytes:
    key, payload = fields[at]
    kind = rng.choice([0, 1, 2, 5])
    payload = {0: varint(len(payload)), 1: bytes(8), 2: payload, 5: bytes(4)}[kind]
    return join([*fields[:at], (key & ~7 | kind, payload), *fields[at + 1 :]])


def replaced_text(fields: Fields, at: int, rng: random.Random) -> bytes:
    texts = [b"Loop", b"If", b"Scan", b"", b"ai.onnx.ml", b"my.domain", b"com.microsoft", b"\xff"]
    key, payload = fields[at]
    return join(
        [*fields[:at], (key, rng.choice(texts) if key & 7 == 2 else payload), *fields[at + 1 :]]
    )


def twice_with_text(fields: Fields, at: int, rng: random.Random) -> bytes:
    key, payload = fields[at]
    extra = rng.choice([b"Loop", b"my.domain", b"x"]) if key & 7 == 2 else payload
    both = [(key, extra), fields[at]]
    rng.shuffle(both)
    return join([*fields[:at], *both, *fields[at + 1 :]])


def moved_number(fields: Fields, at: int, rng: random.Random) -> bytes:
    key, payload = fields[at]
    return join([*fields[:at], (rng.randint(1, 26) << 3 | key & 7, payload), *fields[at + 1 :]])


def flipped(fields: Fields, _at: int, rng: random.Random) -> bytes:
    data = bytearray(join(fields))
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


Mutation = Callable[[Fields, int, random.Random], bytes]

MUTATIONS: tuple[Mutation, ...] = (
    duplicate, last_again, split_in_two, reorder, drop, pad_key, pad_value, high_tag, high_number,
    unknown, group, other_wire_type, replaced_text, twice_with_text, moved_number, flipped,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random, *, depth: int = 0) -> tuple[str, bytes]:
    """Change one place at a random depth; return the name of the change and the new encoding."""
    fields = split(data)
    if not fields:
        return "unknown", unknown([], 0, rng)
    at = rng.randrange(len(fields))
    key, payload = fields[at]
    if key & 7 == 2 and depth < 6 and rng.random() < 0.75:
        try:
            name, inner = mutated(payload, rng, depth=depth + 1)
        except (ValueError, KeyError, IndexError):  # not a message inside: text or raw data
            pass
        else:
            return name, join([*fields[:at], (key, inner), *fields[at + 1 :]])
    mutation = rng.choice(MUTATIONS)
    try:
        return mutation.__name__, mutation(fields, at, rng)
    except (ValueError, KeyError, IndexError):  # not a message, so it cannot be split in two
        return drop.__name__, drop(fields, at, rng)


def facts_of_onnx(model: ModelProto) -> dict[str, object]:
    """Return the facts of graph_facts by the onnx package, and the content that must be refused."""
    graph = model.graph
    nodes = list(all_nodes(graph))
    return {
        "ir_version": model.ir_version,
        "opset": next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0),
        "inputs": tuple(value.name for value in graph.input),
        "outputs": tuple(value.name for value in graph.output),
        "metadata": {entry.key: entry.value for entry in model.metadata_props},
        "forbidden": sorted(
            {
                node.op_type
                for node in nodes
                if node.op_type in ("If", "Loop", "Scan", "SequenceMap")
            }
            | {node.domain for node in nodes if node.domain not in ("", "ai.onnx", "com.microsoft")}
            | {"functions" for _ in model.functions}
            | {"training" for _ in model.training_info}
            | {"external" for tensor in all_tensors(graph) if is_external(tensor)}
            | {"subgraph" for node in nodes for a in node.attribute if a.HasField("g") or a.graphs}
        ),
    }


def all_nodes(graph):  # type: ignore[no-untyped-def]
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from all_nodes(inner)


def all_tensors(graph):  # type: ignore[no-untyped-def]
    sparse = list(graph.sparse_initializer)
    yield from graph.initializer
    for node in all_nodes(graph):
        for attribute in node.attribute:
            yield from attribute.tensors
            yield attribute.t
            sparse += [*attribute.sparse_tensors, attribute.sparse_tensor]
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def is_external(tensor) -> bool:  # type: ignore[no-untyped-def]
    return tensor.data_location == 1 or bool(tensor.external_data)
