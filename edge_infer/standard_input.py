"""Standard input as an image: read on first use and kept, since a pipe can be read only once."""

from functools import cached_property

from edge_infer.binary_file import BinaryFile, read_binary
from edge_infer.errors import UnreadableInput

__all__ = ["StandardInput"]


class StandardInput:
    """One image from standard input.

    Args:
        stream: Binary, preferably unbuffered: a thread left behind by a time-out holds the buffer's lock, and Python
            then cannot exit. None if the process has no standard input.
    """

    name = "<stdin>"

    def __init__(self, stream: BinaryFile | None) -> None:
        self._stream = stream

    @cached_property
    def data(self) -> bytes:
        """All of it, or one byte over the limit.

        Raises:
            UnreadableInput: There is no standard input, or reading failed.
        """
        if self._stream is None:
            raise UnreadableInput(
                f"{self.name}: standard input is closed",
                hint="pipe an image into it: brain-infer - < scan.png",
            )
        return read_binary(self._stream, self.name)
