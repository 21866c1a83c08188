"""Which BMPs are read: those with uncompressed or run-length encoded pixels, and no more of them than they say."""

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage

__all__ = ["check_bmp"]

_PIXELS_AT, _HEADER_SIZE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 10, 14, 18, 22, 28, 30
_WITH_PROFILE = 108  # headers from this size on may put a colour profile after the pixels
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
        CorruptImage: It holds more rows than its header says.
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
    if compression not in _RUN_LENGTHS and header_size < _WITH_PROFILE:
        _check_amount(data, name)


def _check_amount(data: bytes, name: str) -> None:
    """Refuse a whole row too many; missing rows are noticed by the decoder."""
    start = int.from_bytes(data[_PIXELS_AT : _PIXELS_AT + 4], "little")
    width = int.from_bytes(data[_WIDTH : _WIDTH + 4], "little", signed=True)
    height = abs(int.from_bytes(data[_HEIGHT : _HEIGHT + 4], "little", signed=True))
    bits = int.from_bytes(data[_BITS : _BITS + 2], "little")
    row = (width * bits + 31) // 32 * 4
    if row > 0 and len(data) - start >= (height + 1) * row:
        raise CorruptImage(
            f"{name}: image is damaged (BMP: more pixels than the header says)",
            hint="copy or export the file again",
        )
