"""Files that a transfer in text mode has changed: each line feed has become two bytes, and what follows is shifted.

PNG notices by its signature, and compressed data no longer decode. Uncompressed pixels do: the image is skewed from
each such place on. But in pixels a line feed (the grey level 10) comes after a carriage return (13) only now and then;
in such a file it always does.
"""

from edge_infer.errors import CorruptImage

__all__ = ["refuse_text_mode"]

_LEAST = 16  # line feeds; fewer could follow carriage returns by chance


def refuse_text_mode(data: bytes, name: str) -> None:
    """Refuse a file in which every line feed follows a carriage return.

    Args:
        data: Of a BMP or TIFF file.
        name: For messages.

    Raises:
        CorruptImage: It was transferred as text.
    """
    feeds = data.count(b"\n")
    if feeds >= _LEAST and data.count(b"\r\n") == feeds:
        raise CorruptImage(
            f"{name}: image is damaged (it was transferred in text mode)",
            hint="copy it again in binary mode",
        )
