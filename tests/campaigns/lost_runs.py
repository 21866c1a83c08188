"""Lost sectors in BMP and TIFF: how many our rule finds, and how many good scans it would refuse.

    python tests/campaigns/lost_runs.py --data ../shared/data --every 1

Saves each scan as BMP and TIFF, as found and with usual changes, and damages it as disks do.
"""

import argparse
import collections
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from damage import damaged
from PIL import Image

from edge_infer.errors import BrainError, CorruptImage
from edge_infer.image_file import read_image

_KINDS = (
    "512 B of zeros",
    "a sector of zeros",
    "4 KiB of zeros",
    "512 B of ones",
    "tail 10 % zeros",
    "tail 50 % zeros",
)


def changed(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """Yield a scan with the changes that people make before passing it on."""
    width, height = image.size
    yield "as found", image
    yield "background set to 0 below 30", image.point(lambda value: value if value >= 30 else 0)
    yield "turned by 1 degree", image.rotate(1)
    yield "turned by 4 degrees", image.rotate(-4, Image.Resampling.BICUBIC)
    yield "doubled in size", image.resize((2 * width, 2 * height))
    yield "framed in 0", _pasted(image.resize((width * 4 // 5, height * 4 // 5)), image.size)
    yield "made square with 0", _pasted(image, (max(image.size), max(image.size)))
    middle = image.crop((0, height // 6, width, height * 5 // 6))
    yield "cropped, bars of 0", _pasted(middle, image.size)


def _pasted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    page = Image.new("L", size)
    page.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return page


def _refused(data: bytes) -> bool:
    try:
        read_image(data)
    except CorruptImage:
        return True
    except BrainError:
        return False
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of JPEG scans")
    parser.add_argument("--every", type=int, default=20, help="take each n-th scan")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only-as-found", action="store_true")
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 -- damage, no secret
    tally: collections.Counter[tuple[str, str]] = collections.Counter()
    for path in sorted(options.data.rglob("*.jpg"))[:: options.every]:
        source = path.relative_to(options.data).parts[0]
        for change, image in changed(Image.open(path).convert("L")):
            if change != "as found" and options.only_as_found:
                break
            for form in ("BMP", "TIFF"):
                file = io.BytesIO()
                image.save(file, form)
                row = f"whole {form}, {change}" + (f" ({source})" if change == "as found" else "")
                tally[row, "n"] += 1
                if _refused(file.getvalue()):
                    tally[row, "refused"] += 1
                    if change == "as found":
                        sys.stdout.write(f"refused: {form} {path.relative_to(options.data)}\n")
                if change == "as found":
                    for kind in _KINDS:
                        tally[f"damaged {form}, {kind}", "n"] += 1
                        bad = damaged(file.getvalue(), kind, draw)
                        tally[f"damaged {form}, {kind}", "refused"] += _refused(bad)
    for row in sorted({row for row, _ in tally}):
        sys.stdout.write(f"{row:60}{tally[row, 'n']:8,}{tally[row, 'refused']:8,}\n")


if __name__ == "__main__":
    main()
