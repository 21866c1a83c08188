"""Read protocol-buffer messages by their schema, and only in the form that writers produce.

protobuf's own readers accept much more than writers write: of a field that occurs twice the last one counts, or both
are merged; numbers may be padded and are cut to their type; unknown fields are skipped. With each of these, a file
could mean one thing to another reader and something else to onnxruntime. So all are refused: a message that is
accepted here is read the same way everywhere.

Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator, Mapping

from edge_infer.onnx_schema import MESSAGES, REFUSED_FIELDS, FieldType

__all__ = ["DamagedMessage", "Message", "RefusedMessage", "integers", "read_message"]

#: A message: the values of each field in order, by field number.
Message = dict[int, list["int | memoryview | Message"]]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    "int32": _VARINT,
    "int64": _VARINT,
    "uint64": _VARINT,
    "float": _FIXED32,
    "double": _FIXED64,
}
_MAX_DEPTH = 32  # protobuf itself stops at 100
_MAX_FIELDS = 1_000_000  # CvT-13 has 20 thousand; each takes a microsecond or two


class DamagedMessage(ValueError):
    """The bytes are not a protocol-buffer message."""


class RefusedMessage(ValueError):
    """A protocol-buffer message, but with a form or content that is not accepted."""


def read_message(data: bytes, kind: str) -> Message:
    """Read a message and all nested ones.

    Args:
        data: The encoded message.
        kind: Its name in ``edge_infer.onnx_schema``.

    Returns:
        Integers with their sign; text, bytes, floats and packed numbers undecoded.

    Raises:
        DamagedMessage: Cut short or not a message.
        RefusedMessage: An unknown or repeated field, a padded number or one too large for its type.
    """
    return _Reader(data).message(kind, 0, len(data), depth=0)


def integers(message: Message, number: int) -> list[int]:
    """Return the whole numbers of a field of int32, int64 or uint64, whether they are packed or not.

    Args:
        message: As ``read_message`` returns it.
        number: Of the field. Packed numbers are taken as int64.

    Raises:
        DamagedMessage: Packed numbers are cut short.
        RefusedMessage: One is padded or too large.
    """
    found: list[int] = []
    for value in message.get(number, ()):
        if isinstance(value, int):
            found.append(value)
        elif isinstance(value, memoryview):
            found += _Reader(bytes(value)).packed()
    return found


class _Reader:
    """Reads the bytes once and counts fields."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._left = _MAX_FIELDS

    def message(self, kind: str, start: int, end: int, *, depth: int) -> Message:
        if depth > _MAX_DEPTH:
            raise RefusedMessage(f"messages nested deeper than {_MAX_DEPTH}")
        schema = MESSAGES[kind]
        found: Message = {}
        for number, wire_type, position, stop in self._fields(start, end):
            field = schema.get(number)
            if field is None:
                raise RefusedMessage(_why_refused(kind, number))
            if number not in found:
                found[number] = []
            elif not field.is_repeated:
                raise RefusedMessage(f"field {number} of {kind} occurs twice")
            found[number].append(
                self._value(f"field {number} of {kind}", field, wire_type, position, stop, depth)
            )
        _check_choices(kind, schema, found)
        return found

    def packed(self) -> Iterator[int]:
        """Yield numbers that lie one after the other."""
        position = 0
        while position < len(self._data):
            value, position = self._varint(position)
            yield _of_type(value, "int64", "a packed number")

    def _value(
        self, name: str, field: FieldType, wire_type: int, start: int, end: int, depth: int
    ) -> "int | memoryview | Message":
        expected = _WIRE_TYPES.get(field.kind, _BYTES)
        is_packed = wire_type == _BYTES and field.is_repeated
        if wire_type != expected and not is_packed:
            raise RefusedMessage(f"{name} has wire type {wire_type}, expected {expected}")
        if wire_type == _VARINT:
            return _of_type(self._varint(start)[0], field.kind, name)
        if field.kind in MESSAGES:
            return self.message(field.kind, start, end, depth=depth + 1)
        return self._view[start:end]

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield number, wire type, start and end of the value."""
        position = start
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise RefusedMessage(f"more than {_MAX_FIELDS:,} fields")
            key, position = self._varint(position)
            number, wire_type = key >> 3, key & 7
            if wire_type == _VARINT:
                stop = self._varint(position)[1]
            elif wire_type == _BYTES:
                length, position = self._varint(position)
                stop = position + length
            elif wire_type in (_FIXED32, _FIXED64):
                stop = position + (4 if wire_type == _FIXED32 else 8)
            else:
                raise DamagedMessage(f"wire type {wire_type}")
            if stop > end:
                raise DamagedMessage("cut short")
            yield number, wire_type, position, stop
            position = stop

    def _varint(self, position: int) -> tuple[int, int]:
        data = self._data
        if position < len(data) and data[position] < 0x80:  # nearly always
            return data[position], position + 1
        value = 0
        for shift in range(0, 70, 7):
            if position >= len(data):
                raise DamagedMessage("cut short")
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0:
                    raise RefusedMessage("a number is padded")
                return value, position
        raise DamagedMessage("number longer than ten bytes")


def _of_type(value: int, kind: str, name: str) -> int:
    """Return the signed value: negative numbers are written as 64 bits, whatever their type."""
    if value >= 2**64:
        raise RefusedMessage(f"{name} has more than 64 bits")
    if kind == "uint64":
        return value
    signed = value - 2**64 if value >= 2**63 else value
    if kind == "int32" and not -(2**31) <= signed < 2**31:
        raise RefusedMessage(f"{name} has more than 32 bits")
    return signed


def _check_choices(kind: str, schema: Mapping[int, FieldType], found: Message) -> None:
    if sum(bool(schema[number].choice) for number in found) > 1:
        raise RefusedMessage(f"{kind} has several values, expected one")


def _why_refused(kind: str, number: int) -> str:
    if kind == "ModelProto":  # the outermost message: most likely not ONNX at all
        unknown = f"is not an ONNX file as it is known here (field {number} of {kind})"
    else:
        unknown = f"holds field {number} of {kind}, which is not known here"
    return REFUSED_FIELDS.get((kind, number), unknown)
