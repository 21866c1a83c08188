"""Walk the blocks of a sequential JPEG scan and check that it holds all of them and nothing else.

No coefficient is computed, only how many bits each code takes. One step spans all symbols whose codes a window shows
completely, up to the end of the block. If it shows none, or near the last coefficient (after which there is no end
code), the block is finished symbol by symbol.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_infer.formats.jpeg.bits import JpegBits
from edge_infer.formats.jpeg.huffman import WINDOW_BITS, BrokenJpegError, HuffmanCode

__all__ = ["BlockCode", "walk_blocks"]

#: How the DC and the AC coefficients of a block are coded.
BlockCode = tuple[HuffmanCode, HuffmanCode]

_COEFFICIENTS = 64
_MAX_DC_SIZE = 11  # T.81, table F.1
_SKIP_16 = 0xF0
_END_OF_BLOCK = 0x00
# A step is bits | advance << 6. The advance counts coefficients, or says how the step ended.
_BITS, _SHIFT = 63, 6
_CANNOT = 64
_ENDED = 128
_EXTENSIONS = 2  # further symbols in a step; a third one gains nothing

_Steps = tuple[list[int], list[int], BlockCode]


def walk_blocks(bits: JpegBits, mcus: Sequence[int], layout: Sequence[BlockCode]) -> None:
    """Walk all blocks of a scan.

    Args:
        bits: Of the scan.
        mcus: Number of MCUs in each restart interval.
        layout: Codes of each block of an MCU.

    Raises:
        BrokenJpegError: The data are not exactly those blocks.
    """
    steps = [_steps(code) for code in layout]
    at = 0
    for left, end in zip(mcus, bits.ends, strict=True):
        while left:
            if at > bits.limit:
                bits.load(at)
            at, left = _walk(bits, at, left, steps)
        if not 0 <= end - at < 8:
            raise BrokenJpegError("data are missing" if at > end else "more data than blocks")
        at = end


def _walk(bits: JpegBits, at: int, mcus: int, layout: Sequence[_Steps]) -> tuple[int, int]:
    """Walk MCUs as far as the windows reach; return the position and how many MCUs are left."""
    windows, base, limit = bits.windows, bits.base, bits.limit
    at -= base
    limit -= base
    for done in range(mcus):
        if at > limit:
            return at + base, mcus - done
        for dc_steps, ac_steps, code in layout:
            step = dc_steps[windows[at]]
            at += step & _BITS
            k = step >> _SHIFT
            while k < _COEFFICIENTS:
                step = ac_steps[windows[at]]
                at += step & _BITS
                k += step >> _SHIFT
            if k & (_ENDED | _CANNOT) != _ENDED:
                # Undo the last step, which may have gone too far.
                before = base + at - (step & _BITS)
                at = _finish(bits, before, k - (step >> _SHIFT), code) - base
    return at + base, 0


def _finish(bits: JpegBits, at: int, k: int, code: BlockCode) -> int:
    """Walk the rest of a block from its k-th coefficient; return the position after it."""
    dc, ac = code
    if k == 0:
        size, at = bits.symbol(at, dc)
        if size > _MAX_DC_SIZE:
            raise BrokenJpegError("a coefficient too large")
        at, k = at + size, 1
    while k < _COEFFICIENTS:
        symbol, at = bits.symbol(at, ac)
        run, size = symbol >> 4, symbol & 15
        if symbol == _END_OF_BLOCK:
            return at
        if not size and symbol != _SKIP_16:
            raise BrokenJpegError("a code of another mode")
        at, k = at + size, k + run + 1
    if k > _COEFFICIENTS:
        raise BrokenJpegError("a block with too many coefficients")
    return at


@functools.lru_cache(maxsize=8)
def _steps(code: BlockCode) -> _Steps:
    """Build tables of steps, by window: from a block's first symbol, and from a later one."""
    dc, ac = code
    can = (dc.bits > 0) & (dc.symbol <= _MAX_DC_SIZE)
    first = np.where(can, dc.bits + dc.symbol, 0), np.where(can, 1, _CANNOT)
    size = ac.symbol & 15
    is_end = ac.symbol == _END_OF_BLOCK
    can = (ac.bits > 0) & ((size > 0) | (ac.symbol == _SKIP_16) | is_end)
    advance = np.where(is_end, _ENDED, (ac.symbol >> 4) + 1)
    later = np.where(can, ac.bits + size, 0), np.where(can, advance, _CANNOT)
    return _extended(*first, ac.bits, *later), _extended(*later, ac.bits, *later), code


def _extended(
    used: NDArray[np.int32],
    advance: NDArray[np.int32],
    code_bits: NDArray[np.int32],
    later_used: NDArray[np.int32],
    later_advance: NDArray[np.int32],
) -> list[int]:
    """Extend each step while its window shows complete codes and the block does not end."""
    used, advance = used.copy(), advance.copy()
    last = (1 << WINDOW_BITS) - 1
    going = np.arange(last + 1)
    for _ in range(_EXTENSIONS):
        going = going[(advance[going] < _COEFFICIENTS) & (used[going] < WINDOW_BITS)]
        rest = (going << used[going]) & last
        more = later_advance[rest]
        fits = code_bits[rest] <= WINDOW_BITS - used[going]
        fits &= (more != _CANNOT) & (advance[going] + more % _ENDED < _COEFFICIENTS)
        going, rest = going[fits], rest[fits]
        used[going] += later_used[rest]
        advance[going] += later_advance[rest]
    steps: list[int] = (used | advance << _SHIFT).tolist()
    return steps
