"""Values planted into a DICOM file byte for byte, past everything that pydicom would correct or refuse."""

from typing import Any

from dicom_files import file_bytes
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

__all__ = ["with_values"]

_CHARACTER_SET = 0x00080005
_ANY = "ISO_IR 192"


def with_values(dataset: Any, values: dict[int, bytes]) -> bytes:
    """Return the content of a file with these values.

    Args:
        dataset: pydicom's; it is changed.
        values: By tag, as stored; a blank is added to an odd length.
    """
    planted = {}
    for number, (tag, value) in enumerate(sorted(values.items())):
        even = value + b" " * (len(value) % 2)
        holder = (
            even.decode("ascii")[:4] if len(even) < 4 else f"{number:02d}PLACE{'x' * len(even)}"
        )
        holder = holder[: len(even)]
        planted[holder.encode()] = even
        if tag != _CHARACTER_SET:  # pydicom has to know it to write anything
            dataset.add(DataElement(tag, dictionary_VR(tag), holder, validation_mode=IGNORE))
    dataset.SpecificCharacterSet = _ANY
    data = file_bytes(dataset)
    if _CHARACTER_SET in values:
        terms = values[_CHARACTER_SET]
        even = terms + b" " * (len(terms) % 2)
        start = b"\x08\0\x05\0CS"
        former = start + len(_ANY).to_bytes(2, "little") + _ANY.encode()
        assert data.count(former) == 1
        data = data.replace(former, start + len(even).to_bytes(2, "little") + even)
    for holder_bytes, even in planted.items():
        if len(even) >= 4 and holder_bytes in data:
            assert data.count(holder_bytes) == 1
            data = data.replace(holder_bytes, even)
    return data
