"""Which BMPs are read: those with uncompressed or run-length encoded pixels."""

from edge_infer.errors import InputOverLimit, UnsupportedImage

__all__ = ["check_bmp"]

_HEADER_SIZE, _COMPRESSION = 14, 30
_SHORT_HEADERS = frozenset({12, 16})  # OS/2: without a compression field
_RUN_LENGTHS = frozenset({1, 2})
_READ = frozenset({0, 1, 2, 3})
_COMPRESSIONS = {4: "JPEG", 5: "PNG"}
_MAX_RUN_LENGTH_BYTES = 2**20  # Pillow decodes them in Python, a microsecond a run


def check_bmp(data: bytes, name: str) -> None:
    """Refuse BMPs that cannot be read, or not in bounded time.

    Args:
        data: Of a BMP file.
        name: For messages.

    Raises:
        UnsupportedImage: It has another compression.
        InputOverLimit: It has more than 1 MiB of run lengths.
    """
    header_size = int.from_bytes(data[_HEADER_SIZE : _HEADER_SIZE + 4], "little")
    if header_size in _SHORT_HEADERS:
        return
    compression = int.from_bytes(data[_COMPRESSION : _COMPRESSION + 4], "little")
    if compression not in _READ:
        kind = _COMPRESSIONS.get(compression, f"method {compression}")
        raise UnsupportedImage(
            f"{name}: BMP is compressed with {kind}, expected none or run lengths",
            hint="save it as PNG",
        )
    if compression in _RUN_LENGTHS and len(data) > _MAX_RUN_LENGTH_BYTES:
        raise InputOverLimit(f"{name}: BMP holds more than 1 MiB of run lengths")
