"""Frame and scan headers of a JPEG (ITU-T T.81, annex B.2): which blocks each scan must hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_infer.formats.jpeg.huffman import BrokenJpegError, HuffmanTable

__all__ = ["Component", "Frame", "Scan", "read_frame", "read_scan"]

_BLOCK = 8
_MAX_BLOCKS = 10  # in an MCU


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A colour channel.

    Attributes:
        number: Its number in scan headers.
        across: Blocks in a row of an MCU that holds all components.
        down: Rows of blocks in such an MCU.
        blocks: Blocks in a scan of this component alone.
    """

    number: int
    across: int
    down: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame header.

    Attributes:
        is_progressive: Whether coefficients come in several scans.
        width: Pixels.
        height: Pixels.
        mcus: MCUs in a scan of several components.
        components: In the order of the header.
    """

    is_progressive: bool
    width: int
    height: int
    mcus: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan header and the state of the file at it.

    Attributes:
        components: Indices into the frame's components.
        codes: DC and AC table of each; None if not defined.
        first: Number of its first coefficient.
        last: Number of its last coefficient.
        upper_bit: Bits above this one were sent before; 0 if none were.
        lower_bit: Bits down to this one are sent.
        restart_interval: MCUs between restart markers; 0 without them.
        start: Where its coded data begin in the file.
        end: Where they end.
    """

    components: tuple[int, ...]
    codes: tuple[tuple[HuffmanTable | None, HuffmanTable | None], ...]
    first: int
    last: int
    upper_bit: int
    lower_bit: int
    restart_interval: int
    start: int
    end: int

    def mcus(self, frame: Frame) -> list[int]:
        """Return the number of MCUs in each restart interval."""
        alone = len(self.components) == 1
        count = frame.components[self.components[0]].blocks if alone else frame.mcus
        interval = self.restart_interval or count
        whole, rest = divmod(count, interval)
        return [interval] * whole + [rest] * (rest > 0)


def read_frame(segment: bytes, *, is_progressive: bool) -> Frame:
    """Read a frame header.

    Args:
        segment: The segment after its length.
        is_progressive: Stated by its marker.

    Raises:
        BrokenJpegError: It contradicts itself.
    """
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise BrokenJpegError("a frame header of another length")
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    factors = [(factor >> 4, factor & 15) for factor in segment[7::3]]
    if not (width and height and factors) or any(not 1 <= f <= 4 for pair in factors for f in pair):
        raise BrokenJpegError("a frame header without size or components")
    most_across, most_down = max(a for a, _ in factors), max(d for _, d in factors)
    components = tuple(
        Component(
            number=number,
            across=across,
            down=down,
            blocks=_blocks(width, across, most_across) * _blocks(height, down, most_down),
        )
        for number, (across, down) in zip(segment[6::3], factors, strict=True)
    )
    mcus = _blocks(width, 1, most_across) * _blocks(height, 1, most_down)
    return Frame(
        is_progressive=is_progressive,
        width=width,
        height=height,
        mcus=mcus,
        components=components,
    )


def _blocks(pixels: int, factor: int, most: int) -> int:
    """Return how many blocks cover a side that is sampled by ``factor / most``."""
    return -(-pixels * factor // (most * _BLOCK))


def read_scan(
    segment: bytes,
    frame: Frame,
    tables: Mapping[int, HuffmanTable],
    *,
    restart_interval: int,
    data: tuple[int, int],
) -> Scan:
    """Read a scan header.

    Args:
        segment: The segment after its length.
        frame: The frame it belongs to.
        tables: Huffman tables defined so far, see ``read_tables``.
        restart_interval: The one in force, in MCUs.
        data: Where its coded data begin and end.

    Raises:
        BrokenJpegError: It contradicts itself or the frame.
    """
    if not segment or not 1 <= segment[0] <= 4 or len(segment) != 4 + 2 * segment[0]:
        raise BrokenJpegError("a scan header of another length")
    components = _components(segment[1:-3:2], frame)
    blocks = [frame.components[index].across * frame.components[index].down for index in components]
    if len(components) > 1 and sum(blocks) > _MAX_BLOCKS:
        raise BrokenJpegError("more blocks in an MCU than allowed")
    codes = tuple((tables.get(n >> 4), tables.get(16 + (n & 15))) for n in segment[2:-3:2])
    first, last, bits = segment[-3:]
    return Scan(
        components=components,
        codes=codes,
        first=first,
        last=last,
        upper_bit=bits >> 4,
        lower_bit=bits & 15,
        restart_interval=restart_interval,
        start=data[0],
        end=data[1],
    )


def _components(numbers: Sequence[int], frame: Frame) -> tuple[int, ...]:
    """Find components by number; if several share one, each is used once, as in libjpeg."""
    indices: list[int] = []
    for number in numbers:
        meant = [
            index
            for index, component in enumerate(frame.components)
            if component.number == number and index not in indices
        ]
        if not meant:
            raise BrokenJpegError("a scan of a component that the frame lacks")
        indices.append(meant[0])
    return tuple(indices)
