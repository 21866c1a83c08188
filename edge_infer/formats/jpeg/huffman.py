"""Huffman tables of a JPEG (ITU-T T.81, annex C and F.2.2.3): which symbol the next bits stand for."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = [
    "STANDARD_TABLES",
    "WINDOW_BITS",
    "BrokenJpegError",
    "HuffmanCode",
    "HuffmanTable",
    "code_of",
    "read_tables",
]

#: Bits of a lookup. 12 was fastest for images of 256 and 512 pixels: wider tables cost more to build.
WINDOW_BITS = 12

_MAX_LENGTH = 16
_AC = 0x10  # bit of the byte that names a table


class BrokenJpegError(Exception):
    """The data contradict the standard or each other; the message says where, without quoting data."""


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A table as its segment states it.

    Attributes:
        counts: Number of codes of 1 to 16 bits.
        symbols: Symbols in the order of their codes.
    """

    counts: bytes
    symbols: bytes


def read_tables(segment: bytes) -> dict[int, HuffmanTable]:
    """Read a DHT segment.

    Args:
        segment: The segment after its length.

    Returns:
        Tables by class and number: 0 to 3 for DC, 16 to 19 for AC.

    Raises:
        BrokenJpegError: A table is incomplete.
    """
    tables: dict[int, HuffmanTable] = {}
    at = 0
    while at < len(segment):
        number, counts = segment[at], segment[at + 1 : at + 17]
        symbols = segment[at + 17 : at + 17 + sum(counts)]
        if number & ~_AC > 3 or len(counts) < _MAX_LENGTH or len(symbols) < sum(counts):
            raise BrokenJpegError("a Huffman table is incomplete")
        tables[number] = HuffmanTable(counts, symbols)
        at += 17 + len(symbols)
    return tables


class HuffmanCode:
    """A table prepared for lookups.

    Attributes:
        bits: By window, length of the first code in it; 0 if it is longer than the window or not a code.
        symbol: By window, the symbol of that code.
    """

    def __init__(self, table: HuffmanTable) -> None:
        """Raises: BrokenJpegError: The codes do not fit their lengths."""
        self._symbols = table.symbols
        self._ends = _ends_of_codes(table)
        lengths = np.repeat(np.arange(1, _MAX_LENGTH + 1, dtype=np.int32), list(table.counts))
        symbols = np.frombuffer(table.symbols, np.uint8).astype(np.int32)
        is_short = lengths <= WINDOW_BITS
        repeats = 1 << (WINDOW_BITS - lengths[is_short])
        self.bits = np.zeros(1 << WINDOW_BITS, np.int32)
        self.symbol = np.zeros(1 << WINDOW_BITS, np.int32)
        # As numbers, longer codes follow the shorter ones, so windows are filled from 0 upwards.
        filled = int(repeats.sum())
        self.bits[:filled] = np.repeat(lengths[is_short], repeats)
        self.symbol[:filled] = np.repeat(symbols[is_short], repeats)

    @functools.cached_property
    def short(self) -> list[int]:
        """By window, ``bits << 8 | symbol``."""
        short: list[int] = (self.bits << 8 | self.symbol).tolist()
        return short

    def long(self, bits: int) -> tuple[int, int]:
        """Look up a code of any length.

        Args:
            bits: The next 16 bits.

        Returns:
            Symbol, and length of its code.

        Raises:
            BrokenJpegError: The bits are not a code.
        """
        for length, end, offset in self._ends:
            code = bits >> (_MAX_LENGTH - length)
            if code < end:
                return self._symbols[code + offset], length
        raise BrokenJpegError("bits that are no code")


@functools.lru_cache(maxsize=16)
def code_of(table: HuffmanTable) -> HuffmanCode:
    """Prepare a table; cached, since many files have the same tables.

    Raises:
        BrokenJpegError: The codes do not fit their lengths.
    """
    return HuffmanCode(table)


def _ends_of_codes(table: HuffmanTable) -> list[tuple[int, int, int]]:
    """For each length in use: the length, one more than its last code, and the offset from code to symbol index."""
    ends: list[tuple[int, int, int]] = []
    code = index = 0
    for length, count in enumerate(table.counts, start=1):
        code <<= 1
        if count:
            ends.append((length, code + count, index - code))
            code, index = code + count, index + count
            if code >= 1 << length:  # a code of ones alone is reserved
                raise BrokenJpegError("a Huffman table with more codes than fit")
    return ends


def _standard(*tables: str) -> Mapping[int, HuffmanTable]:
    return {
        key: table for text in tables for key, table in read_tables(bytes.fromhex(text)).items()
    }


#: What decoders use for a sequential file without tables (T.81, annex K.3), such as a single frame of Motion JPEG.
STANDARD_TABLES = _standard(
    "0000010501010101010100000000000000000102030405060708090a0b",
    "100002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f0243362"
    "7282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778"
    "797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7"
    "d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    "0100030101010101010101010000000000000102030405060708090a0b",
    "1100020102040403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0156272"
    "d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a7374757677"
    "78797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5"
    "d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
)
