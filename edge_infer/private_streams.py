"""Standard input and output that only one place of the program knows, so nothing else can write into a protocol."""

import contextlib
import os
import sys
from collections.abc import Iterator

__all__ = ["private_streams"]


@contextlib.contextmanager
def private_streams() -> Iterator[tuple[int, int]]:
    """Yield descriptors of standard input and output, while descriptors 0, 1 and 2 lead nowhere.

    Native libraries print to 1 and 2 by number, and decoders print values of headers, which may be patient data. To be
    entered before such libraries are loaded. At the end 0, 1 and 2 are as before. The two that were yielded stay open
    until the process ends, since a thread may still be reading or writing.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(number) for number in range(3)]
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.close(nowhere)
    try:
        yield kept[0], kept[1]
    finally:
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
