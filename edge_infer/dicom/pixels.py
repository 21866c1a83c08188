"""Decode one frame to the values that are stored, by the one decoder for its transfer syntax."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.decoding import refuse_accepting_truncated
from edge_infer.dicom.content import Content
from edge_infer.dicom.decoders import DECODERS, OWN, Decoder, decoder_of, name_of_syntax
from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import Dataset, raw, whole, words
from edge_infer.dicom.lossless.decode import decode_lossless
from edge_infer.dicom.quiet import EXTRA_HINT, foreign_errors
from edge_infer.dicom.streams import check_stream, unpadded
from edge_infer.errors import CorruptImage, MissingDependency, UnsupportedImage
from edge_infer.formats.jpeg.check import check_jpeg
from edge_infer.image_limits import check_size

__all__ = ["GREY", "check_pixels", "stored_values"]

#: Photometric Interpretations of one value a pixel.
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR"})
_BITS = (8, 16, 32)
_MODULES = {
    "pyjpegls": "jpeg_ls",
    "pylibjpeg": "pylibjpeg",
    "pylibjpeg-openjpeg": "openjpeg",
}
_JPEG_8_BIT = frozenset({"JPEG Baseline", "JPEG Extended"})


def check_pixels(content: Content, name: str) -> Decoder:
    """Check what the header says of the pixels; nothing is decoded.

    Args:
        content: Header only.
        name: As shown.

    Returns:
        How they are decoded.

    Raises:
        UnsupportedImage: No decoder reads the transfer syntax, or the pixels are of a kind that is not read.
        InputOverLimit: More than 8192 pixels a side or 40 million in all.
        MissingDependency: The package of the decoder is not installed.
    """
    header = content.header
    if content.has_float_pixels:
        raise UnsupportedImage(f"{name}: DICOM has float pixels, expected whole numbers")
    check_size(whole(header, "Columns") or 0, whole(header, "Rows") or 0, name)
    allocated, stored = whole(header, "BitsAllocated"), whole(header, "BitsStored")
    photometric = _photometric(header)
    if allocated not in _BITS or stored is None or not 1 < stored <= allocated:
        raise UnsupportedImage(
            f"{name}: DICOM has {stored} bits stored in {allocated}, expected at most 8, 16 or 32"
        )
    if whole(header, "HighBit") not in (stored - 1, None):
        raise UnsupportedImage(
            f"{name}: DICOM stores its pixels in the upper bits, expected the lower"
        )
    if photometric not in GREY | _COLOURS or (photometric not in GREY and stored != 8):
        raise UnsupportedImage(
            f"{name}: DICOM has pixels of a kind that is not read, expected MONOCHROME1, MONOCHROME2 or 8-bit colour"
        )
    return _decoder(content, name)


def stored_values(content: Content, frame: Frame, name: str) -> NDArray[Any]:
    """Decode a frame.

    Args:
        content: With pixels.
        frame: Of this content.
        name: As shown.

    Returns:
        (H, W), of an integer type; of colours (H, W, 3), uint8.

    Raises:
        CorruptImage: The pixels are damaged or cut short.
        UnsupportedImage: The decoder does not read this variant.
        InputOverLimit: There is not enough memory.
    """
    if not content.has_pixels or "PixelData" not in content.header:
        raise CorruptImage(
            f"{name}: file is cut short (no pixels, or not their end)",
            hint="copy or export the file again",
        )
    decoder = check_pixels(content, name)
    with foreign_errors(name, "pixel data"):
        if decoder.plugin:
            stream = _checked_frame(content, frame, decoder, name)
            if decoder.plugin == OWN:
                return _own(stream, content.header, name)
        try:
            return _decoded(content, frame, decoder)
        except NotImplementedError:
            raise UnsupportedImage(
                f"{name}: the decoder does not read this variant of {decoder.name}"
            ) from None


def _decoder(content: Content, name: str) -> Decoder:
    decoder = decoder_of(content.transfer_syntax)
    if decoder is None:
        names = ", ".join(one.name for one in DECODERS.values())
        raise UnsupportedImage(
            f"{name}: DICOM transfer syntax is {name_of_syntax(content.transfer_syntax)}, expected one of: {names}",
            hint="let the archive send it uncompressed",
        )
    for package in decoder.packages:
        if find_spec(_MODULES[package]) is None:
            raise MissingDependency(
                f"{name}: pixels are {decoder.name}, which needs the package {package}",
                hint=EXTRA_HINT,
            )
    return decoder


def _photometric(header: Dataset) -> str:
    return next(iter(words(header, "PhotometricInterpretation")), "")


def _checked_frame(content: Content, frame: Frame, decoder: Decoder, name: str) -> bytes:
    """Return the stream of a frame, which is whole and of the right size as far as can be seen."""
    from pydicom.encaps import get_frame

    header = content.header
    offsets = raw(header, "ExtendedOffsetTable"), raw(header, "ExtendedOffsetTableLengths")
    stream: bytes = get_frame(
        header.PixelData,
        frame.index,
        number_of_frames=frame.count,
        extended_offsets=offsets if all(offsets) else None,
    )
    if decoder.name == "RLE":
        return stream  # has no size within, and its decoder counts what it writes
    rows, columns, samples = header.Rows, header.Columns, header.SamplesPerPixel
    check_stream(stream, name, rows=rows, columns=columns, samples=samples)
    if decoder.name in _JPEG_8_BIT:
        refuse_accepting_truncated(name)
        check_jpeg(unpadded(stream), name)
    return stream


def _own(stream: bytes, header: Dataset, name: str) -> NDArray[Any]:
    """Decode JPEG Lossless; bits above those stored do not count, the highest of them is the sign."""
    values = decode_lossless(stream, header.Rows, header.Columns, name).astype(np.int32)
    bits = int(header.BitsStored)
    values &= (1 << bits) - 1
    if header.PixelRepresentation == 1:
        values -= (values >> (bits - 1)) << bits
    return values


def _decoded(content: Content, frame: Frame, decoder: Decoder) -> NDArray[Any]:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut

    header = content.header
    photometric = _photometric(header)
    pixels, _ = get_decoder(content.transfer_syntax).as_array(
        header,
        index=frame.index,
        raw=photometric in GREY,
        decoding_plugin=decoder.plugin,
    )
    if photometric in GREY:
        return np.asarray(pixels)
    if photometric == "PALETTE COLOR":
        coloured = apply_color_lut(pixels, header)
        pixels = coloured // 257 if coloured.dtype == np.uint16 else coloured
    return np.asarray(pixels[..., :3], dtype=np.uint8)
