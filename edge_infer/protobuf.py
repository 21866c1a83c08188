"""Just enough of the protocol-buffer wire format to walk through a message without its schema.

Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["DamagedMessage", "Field", "fields_of", "integers", "messages", "texts"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class DamagedMessage(ValueError):
    """The bytes are not a protocol-buffer message."""


class Field(
    NamedTuple
):  # a model has ten thousands of them, and a frozen dataclass is made far more slowly
    """One field: its number and its value, a number or undecoded bytes."""

    number: int
    value: int | memoryview


def fields_of(data: memoryview) -> list[Field]:
    """Split a message into its fields; nested messages stay bytes.

    Raises:
        DamagedMessage: Cut short, or a wire type that ONNX does not use.
    """
    return list(_scan(data))


def messages(fields: Iterable[Field], number: int) -> Iterator[list[Field]]:
    """Yield the nested messages of one field number."""
    for value in _values(fields, number):
        if not isinstance(value, memoryview):
            raise DamagedMessage(f"field {number} is a number, expected a message")
        yield fields_of(value)


def texts(fields: Iterable[Field], number: int) -> Iterator[str]:
    """Yield the strings of one field number."""
    for value in _values(fields, number):
        if not isinstance(value, memoryview):
            raise DamagedMessage(f"field {number} is a number, expected text")
        try:
            yield bytes(value).decode()
        except UnicodeDecodeError as error:
            raise DamagedMessage(f"field {number} is not UTF-8") from error


def integers(fields: Iterable[Field], number: int) -> Iterator[int]:
    """Yield the integers of one field number."""
    for value in _values(fields, number):
        if not isinstance(value, int):
            raise DamagedMessage(f"field {number} is bytes, expected a number")
        yield value


def _values(fields: Iterable[Field], number: int) -> Iterator[int | memoryview]:
    # The last of several singular fields wins in protobuf; here each of them is looked at.
    return (field.value for field in fields if field.number == number)


def _scan(data: memoryview) -> Iterator[Field]:
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield Field(number, value)
            continue
        if wire_type == _BYTES:
            length, position = _varint(data, position)
        elif wire_type in (_FIXED32, _FIXED64):
            length = 4 if wire_type == _FIXED32 else 8
        else:
            raise DamagedMessage(f"wire type {wire_type}")
        if position + length > end:
            raise DamagedMessage("cut short")
        yield Field(number, data[position : position + length])
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
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
            return value, position
    raise DamagedMessage("number longer than ten bytes")
