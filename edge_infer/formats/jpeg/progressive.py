"""Walk the blocks of a progressive JPEG scan (T.81, annex G) and check that it holds all of them and nothing else.

A scan that refines coefficients has one bit for each coefficient that earlier scans have set, so which ones are set is
kept, 64 bits a block. Their values are not.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_infer.formats.jpeg.bits import JpegBits
from edge_infer.formats.jpeg.huffman import BrokenJpegError, HuffmanCode

__all__ = ["Band", "walk_ac", "walk_dc", "walk_dc_bits"]

_MAX_DC_SIZE = 11  # T.81, table F.1
_SKIP_16 = 15  # a run without a coefficient


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The coefficients of a scan.

    Attributes:
        first: Number of the first.
        last: Number of the last.
        refines: Whether earlier scans have sent their upper bits.
    """

    first: int
    last: int
    refines: bool


class _AcScan(NamedTuple):
    bits: JpegBits
    code: HuffmanCode
    band: Band
    is_set: "array[int]"


def walk_dc(bits: JpegBits, mcus: Sequence[int], layout: Sequence[HuffmanCode]) -> None:
    """Walk the first scan of DC coefficients.

    Args:
        bits: Of the scan.
        mcus: Number of MCUs in each restart interval.
        layout: Code of each block of an MCU.

    Raises:
        BrokenJpegError: The data are not exactly those blocks.
    """
    at = 0
    for count, end in zip(mcus, bits.ends, strict=True):
        at = _at_end(_first_dc(bits, at, count, layout), end)


def walk_dc_bits(bits: JpegBits, mcus: Sequence[int], blocks: int) -> None:
    """Walk a scan that refines DC coefficients, by one bit for each of the blocks of an MCU."""
    at = 0
    for count, end in zip(mcus, bits.ends, strict=True):
        at = _at_end(at + count * blocks, end)


def walk_ac(
    bits: JpegBits, mcus: Sequence[int], code: HuffmanCode, band: Band, is_set: "array[int]"
) -> None:
    """Walk a scan of AC coefficients of one component.

    Args:
        bits: Of the scan.
        mcus: Number of blocks in each restart interval.
        code: Of the component.
        band: Which coefficients.
        is_set: For each block, which coefficients are not 0; those set here are added.

    Raises:
        BrokenJpegError: The data are not exactly those blocks.
    """
    walk = _refined_ac if band.refines else _first_ac
    scan = _AcScan(bits, code, band, is_set)
    at = block = 0
    for count, end in zip(mcus, bits.ends, strict=True):
        at = _at_end(walk(scan, at, (block, block + count)), end)
        block += count


def _at_end(at: int, end: int) -> int:
    if not 0 <= end - at < 8:
        raise BrokenJpegError("data are missing" if at > end else "more data than blocks")
    return end


def _first_dc(bits: JpegBits, at: int, mcus: int, layout: Sequence[HuffmanCode]) -> int:
    for _ in range(mcus):
        for code in layout:
            size, at = bits.symbol(at, code)
            if size > _MAX_DC_SIZE:
                raise BrokenJpegError("a coefficient too large")
            at += size
    return at


def _first_ac(scan: _AcScan, at: int, blocks: tuple[int, int]) -> int:
    bits, code, band, is_set = scan
    block, end = blocks
    while block < end:
        k = band.first
        ended = 1
        found = 0
        while k <= band.last:
            symbol, at = bits.symbol(at, code)
            run, size = symbol >> 4, symbol & 15
            if not size and run < _SKIP_16:
                ended = (1 << run) + bits.number(at, run)
                at += run
                break
            k += run
            found |= (size > 0) << k
            at, k = at + size, k + 1
        if k > band.last + 1:
            raise BrokenJpegError("a block with too many coefficients")
        is_set[block] |= found
        block += ended
    if block > end:
        raise BrokenJpegError("blocks beyond the last")
    return at


def _refined_ac(scan: _AcScan, at: int, blocks: tuple[int, int]) -> int:
    bits, code, band, is_set = scan
    block, end = blocks
    counts = np.frombuffer(is_set, np.uint64)
    whole = (1 << (band.last + 1)) - (1 << band.first)
    while block < end:
        known = is_set[block] & whole
        rest = whole  # coefficients of the block not yet passed
        ended = 0
        while rest and not ended:
            symbol, at = bits.symbol(at, code)
            run, size = symbol >> 4, symbol & 15
            if size > 1:
                raise BrokenJpegError("a refinement of more than one bit")
            if not size and run < _SKIP_16:
                ended = (1 << run) + bits.number(at, run)
                at += run
                break
            at += size
            place = _after_run(rest & ~known, run)
            if size and not place:
                raise BrokenJpegError("a block with too many coefficients")
            passed = rest & ((place << 1) - 1) if place else rest
            at += (passed & known).bit_count()
            rest &= ~passed
            is_set[block] |= place if size else 0
        at += (rest & known).bit_count()
        block += 1
        if ended > 1:
            skipped = counts[block : block + ended - 1] & np.uint64(whole)
            at += int(np.bitwise_count(skipped).sum())
            block += ended - 1
    if block > end:
        raise BrokenJpegError("blocks beyond the last")
    return at


def _after_run(zeros: int, run: int) -> int:
    """Return the lowest bit of ``zeros`` after skipping ``run`` of them; 0 if there are not enough."""
    for _ in range(run):
        zeros &= zeros - 1
    return zeros & -zeros
