"""Magic numbers: a format told by the bytes at a fixed place."""

from collections.abc import Iterable

__all__ = ["Magic", "name_by_magic"]

#: Offset, bytes there, name of the format.
Magic = tuple[int, bytes, str]


def name_by_magic(data: bytes, magics: Iterable[Magic]) -> str | None:
    """Return the name of the first format whose bytes are at their place, or None.

    Args:
        data: Of a whole file.
        magics: In the order to try them.
    """
    return next((name for offset, magic, name in magics if data.startswith(magic, offset)), None)
