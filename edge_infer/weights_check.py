"""Check a tensor of model.onnx: numbers of a known type, in the file itself, as many as its sides say.

onnxruntime is written in C++ and computes sizes from these sides. So a tensor whose sides overflow, are negative or are
not those of its numbers is refused before it gets there, and so is one of text.
"""

import math

from edge_infer.protobuf import Message, RefusedMessage, integers

__all__ = ["check_tensor"]

# TensorProto
_DIMS, _DATA_TYPE, _FLOAT, _INT32, _INT64, _RAW, _DOUBLE, _UINT64 = 1, 2, 4, 5, 7, 9, 10, 11
_DATA_LOCATION = 14

#: By number of a type (onnx.proto, TensorProto.DataType): its bits, and the field that holds its numbers one by one.
_TYPES = {
    1: (32, _FLOAT), 2: (8, _INT32), 3: (8, _INT32), 4: (16, _INT32), 5: (16, _INT32), 6: (32, _INT32),
    7: (64, _INT64), 9: (8, _INT32), 10: (16, _INT32), 11: (64, _DOUBLE), 12: (32, _UINT64), 13: (64, _UINT64),
    16: (16, _INT32), 17: (8, _INT32), 18: (8, _INT32), 19: (8, _INT32), 20: (8, _INT32), 21: (4, _INT32),
    22: (4, _INT32), 23: (4, _INT32), 24: (8, _INT32), 25: (2, _INT32), 26: (2, _INT32),
}  # fmt: skip
_ONE_BY_ONE = (_FLOAT, _INT32, _INT64, _DOUBLE, _UINT64)
#: Bytes of a number in the fields in which all numbers have as many.
_FIXED = {_FLOAT: 4, _DOUBLE: 8}

#: More than any operator knows.
_MOST_SIDES = 64
#: In bytes, of a number whose length varies; all but its last byte are among these.
_LONGEST_NUMBER, _GOES_ON = 10, bytes(range(0x80, 0x100))


def check_tensor(tensor: Message) -> None:
    """Refuse a tensor that is not what it says.

    Args:
        tensor: A TensorProto.

    Raises:
        RefusedMessage: It lies in another file, is of text or of an unknown type, or has other sides than numbers.
    """
    # external_data itself is not in our schema, so it is refused while reading.
    if any(location != 0 for location in integers(tensor, _DATA_LOCATION)):
        raise RefusedMessage("weights lie in another file, expected all of them inside")
    data_type = next(iter(integers(tensor, _DATA_TYPE)), 0)
    if data_type not in _TYPES:
        raise RefusedMessage(f"weights are of type {data_type}, expected numbers of a known type")
    bits, field = _TYPES[data_type]
    count = math.prod(_sides(tensor))
    raw = sum(len(value) for value in tensor.get(_RAW, ()) if isinstance(value, memoryview))
    held = {number for number in _ONE_BY_ONE if _how_many(tensor, number)}
    if held and (raw or held != {field}):
        raise RefusedMessage("weights are given twice or in the wrong field, expected once")
    expected = -(-count * bits // 8)
    if held:
        found = _how_many(tensor, field)
        expected = expected if bits < 8 else count  # numbers of 4 and 2 bits lie together in bytes
        if found != expected:
            raise RefusedMessage(
                f"weights are {found} numbers, expected {expected} as their sides say"
            )
    elif raw != expected:
        raise RefusedMessage(f"weights are {raw} bytes, expected {expected} as their sides say")


def _sides(tensor: Message) -> list[int]:
    packed = sum(len(value) for value in tensor.get(_DIMS, ()) if isinstance(value, memoryview))
    sides = [] if packed > _LONGEST_NUMBER * _MOST_SIDES else integers(tensor, _DIMS)
    if packed > _LONGEST_NUMBER * _MOST_SIDES or len(sides) > _MOST_SIDES:
        raise RefusedMessage(f"weights have more than {_MOST_SIDES} sides")
    if any(side < 0 for side in sides):
        raise RefusedMessage(f"a side of the weights is {min(sides)}, expected 0 or more")
    return sides


def _how_many(tensor: Message, number: int) -> int:
    """Count the numbers of a field, without reading them: there may be millions."""
    values = tensor.get(number, ())
    packed = [bytes(value) for value in values if isinstance(value, memoryview)]
    if number in _FIXED:
        return -(-sum(map(len, packed)) // _FIXED[number])
    ends = sum(len(value.translate(None, _GOES_ON)) for value in packed)
    return ends + sum(isinstance(value, int) for value in values)
