"""Which decoder reads which transfer syntax: one each, by name, so that no other is tried when it refuses.

pydicom tries every decoder that is installed until one succeeds, and pylibjpeg-libjpeg succeeds on streams that are cut
short: of JPEG Lossless cut to 60 %, 40 % of the pixels came out wrong, without a word. GDCM crashes on damaged ones.
"""

from dataclasses import dataclass

__all__ = ["DECODERS", "OWN", "Decoder", "decoder_of", "name_of_syntax"]

#: Decoded by ``edge_infer.dicom.lossless``.
OWN = "own"
_BASE = "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a transfer syntax is read.

    Attributes:
        name: Of the syntax.
        plugin: pydicom's name of the decoder; ``OWN``; empty where none is needed.
        packages: That bring it, beyond the base install and pydicom.
        is_lossy: Whether pixels may differ from those of the scanner.
    """

    name: str
    plugin: str = ""
    packages: tuple[str, ...] = ()
    is_lossy: bool = False


# Of pylibjpeg's decoders only openjpeg reads JPEG 2000.
_OPENJPEG = ("pylibjpeg", ("pylibjpeg", "pylibjpeg-openjpeg"))
_JPEG_LS = ("pyjpegls", ("pyjpegls",))

#: By the identifier of the transfer syntax.
DECODERS = {
    _BASE: Decoder("implicit little endian"),
    f"{_BASE}.1": Decoder("explicit little endian"),
    f"{_BASE}.1.99": Decoder("deflated explicit little endian"),
    f"{_BASE}.2": Decoder("explicit big endian"),
    f"{_BASE}.5": Decoder("RLE", "pydicom"),
    f"{_BASE}.4.50": Decoder("JPEG Baseline", "pillow", is_lossy=True),
    f"{_BASE}.4.51": Decoder("JPEG Extended", "pillow", is_lossy=True),
    f"{_BASE}.4.57": Decoder("JPEG Lossless", OWN),
    f"{_BASE}.4.70": Decoder("JPEG Lossless, first-order prediction", OWN),
    f"{_BASE}.4.80": Decoder("JPEG-LS Lossless", *_JPEG_LS),
    f"{_BASE}.4.81": Decoder("JPEG-LS Near-lossless", *_JPEG_LS, is_lossy=True),
    f"{_BASE}.4.90": Decoder("JPEG 2000 Lossless", *_OPENJPEG),
    f"{_BASE}.4.91": Decoder("JPEG 2000", *_OPENJPEG, is_lossy=True),
    f"{_BASE}.4.201": Decoder("HTJ2K Lossless", *_OPENJPEG),
    f"{_BASE}.4.202": Decoder("HTJ2K Lossless RPCL", *_OPENJPEG),
    f"{_BASE}.4.203": Decoder("HTJ2K", *_OPENJPEG, is_lossy=True),
}
_UNREAD = {
    f"{_BASE}.4.92": "JPEG 2000 Multi-component Lossless",
    f"{_BASE}.4.93": "JPEG 2000 Multi-component",
    f"{_BASE}.4.94": "JPIP Referenced",
    f"{_BASE}.4.95": "JPIP Referenced Deflate",
    f"{_BASE}.4.110": "JPEG XL Lossless",
    f"{_BASE}.4.111": "JPEG XL Recompression",
    f"{_BASE}.4.112": "JPEG XL",
    f"{_BASE}.8.1": "Deflated Image Frame",
}
_VIDEO = tuple(f"{_BASE}.4.10{digit}" for digit in range(9))


def decoder_of(transfer_syntax: str) -> Decoder | None:
    """Return how a transfer syntax is read; None if it is not."""
    return DECODERS.get(transfer_syntax)


def name_of_syntax(transfer_syntax: str) -> str:
    """Return a name for messages: with the identifier where that is one."""
    known = DECODERS.get(transfer_syntax)
    if known:
        return known.name
    if transfer_syntax in _UNREAD:
        return _UNREAD[transfer_syntax]
    if transfer_syntax.startswith(_VIDEO):
        return "video (MPEG or HEVC)"
    is_identifier = bool(transfer_syntax) and set(transfer_syntax) <= set("0123456789.")
    return f"unknown ({transfer_syntax[:64]})" if is_identifier else "unknown"
