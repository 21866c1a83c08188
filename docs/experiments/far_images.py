"""Images that are no brain MRI, from packages that everyone can install, for `brain-train trust --far`.

    pip install scikit-image scikit-learn matplotlib pydicom
    python docs/experiments/far_images.py --output FAR
    brain-train trust BUNDLE --data DATA --far FAR/far --near FAR/near --output OUT ...

FAR/far gets a folder for each set: photographs, faces, textures, microscopy and eyes (biology), text pages, charts,
noise, plain and rising grey (flat), shapes, a head phantom, and pydicom's DICOM test files of other parts of the body.
FAR/near gets the head CT among those. `licences.csv` beside them says which may be shown on a page that is passed on:
as scikit-image's and scikit-learn's documents state it, and what is drawn here.

The same versions of the packages give the same files. The product does not import this.
"""

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_infer.atomic import write_bytes_atomically

__all__ = ["Drawn", "charts", "crops", "flat", "main", "noise", "shapes", "text_pages", "write"]

_SIDE = 256
_HERE = "drawn by docs/experiments/far_images.py"
_CC0, _PUBLIC, _CC_BY = "CC0 1.0 (scikit-image)", "public domain (scikit-image)", "CC BY 2.0"

#: scikit-image's files: the set, how many parts are cut out of each beside the whole, and the licence if it is stated.
_SCIKIT_IMAGE: dict[str, tuple[int, tuple[str, ...]]] = {
    "photos": (
        4,
        (
            *("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg"),
            *("motorcycle_left.png", "motorcycle_right.png", "horse.png", "coins.png"),
            *("clock_motion.png", "moon.png", "hubble_deep_field.jpg"),
        ),
    ),
    "textures": (4, ("brick.png", "grass.png", "gravel.png")),
    "text": (4, ("page.png", "text.png")),
    "biology": (4, ("cell.png", "ihc.png", "microaneurysms.png", "retina.jpg")),
    "charts": (4, ("chessboard_GRAY.png", "chessboard_RGB.png", "color.png", "logo.png")),
    "phantom": (0, ("phantom.png",)),
}
_LICENCES = {
    **dict.fromkeys(("camera", "chelsea", "coffee", "horse", "brick", "grass", "gravel"), _CC0),
    **dict.fromkeys(("cell", "microaneurysms", "retina"), _CC0),
    **dict.fromkeys(("astronaut", "clock_motion", "hubble_deep_field", "rocket", "text"), _PUBLIC),
}
#: pydicom's files that show a head: CT.
_HEADS = ("693_J2KI", "J2K_pixelrep_mismatch")
_LEAST_SIDE = 60
_WORDS = "research report image patient tumour scan the of and to in for with on at from axial slice magnetic resonance"


class Drawn(NamedTuple):
    """An image of a set: the set's folder, the file's stem, the image, and its licence, empty if none is stated."""

    folder: str
    name: str
    image: Image.Image
    licence: str


def crops(
    name: str, whole: Image.Image, count: int, generator: Generator
) -> Iterator[tuple[str, Image.Image]]:
    """Yield an image and square parts of it, each with its name."""
    yield name, whole
    width, height = whole.size
    for number in range(count):
        side = int(min(width, height) * generator.uniform(0.4, 0.9))
        left = int(generator.integers(0, width - side + 1))
        top = int(generator.integers(0, height - side + 1))
        yield f"{name}_{number}", whole.crop((left, top, left + side, top + side))


def noise(generator: Generator) -> Iterator[Drawn]:
    """Yield noise: independent pixels, and clouds of several smoothness."""
    shape = (_SIDE, _SIDE)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.fftfreq(_SIDE)))
    frequencies[0, 0] = 1
    for number in range(10):
        normal = np.clip(generator.normal(128, 20 + 8 * number, shape), 0, 255)
        yield _drawn("noise", f"normal_{number}", normal)
        yield _drawn("noise", f"uniform_{number}", generator.integers(0, 256, shape))
        spectrum = np.fft.fft2(generator.normal(size=shape)) / frequencies ** (0.5 + 0.2 * number)
        cloud = np.fft.ifft2(spectrum).real
        yield _drawn("noise", f"clouds_{number}", _stretched(cloud, 0, 100))


def flat() -> Iterator[Drawn]:
    """Yield one grey, which a bundle refuses, and greys that rise in several directions."""
    steps = np.arange(_SIDE)
    for number in range(10):
        down, across = steps * number / 9, steps * (1 - number / 9)
        yield _drawn("flat", f"rising_{number}", np.clip(np.add.outer(down, across), 0, 255))
        yield _drawn("flat", f"plain_{number}", np.full((_SIDE, _SIDE), 25 * number))


def shapes(generator: Generator) -> Iterator[Drawn]:
    """Yield ellipses, which are nearest to a head, and rectangles, bright on black."""
    for number in range(10):
        image = Image.new("L", (_SIDE, _SIDE))
        centre, size = generator.integers(60, 130, 2), generator.integers(20, 120, 2)
        box = [int(value) for value in (*(centre - size // 2), *(centre + size))]
        ImageDraw.Draw(image).ellipse(box, fill=int(generator.integers(80, 255)))
        yield Drawn("shapes", f"ellipse_{number}", image, _HERE)
        image = Image.new("L", (_SIDE, _SIDE))
        for _ in range(number + 1):
            left, top = (int(value) for value in generator.integers(0, _SIDE, 2))
            side = int(generator.integers(5, 80))
            grey = int(generator.integers(50, 255))
            ImageDraw.Draw(image).rectangle((left, top, left + side, top + side), fill=grey)
        yield Drawn("shapes", f"rectangles_{number}", image, _HERE)


def text_pages(generator: Generator) -> Iterator[Drawn]:
    """Yield pages of words: black on white, and white on black."""
    words = _WORDS.split()
    for number in range(20):
        inverted = number % 2
        image = Image.new("L", (600, 800), 255 * (1 - inverted))
        size = int(generator.integers(12, 32))
        font = ImageFont.load_default(size)
        for top in range(20, 760, int(size * 1.4)):
            line = " ".join(generator.choice(words, 10))
            ImageDraw.Draw(image).text((20, top), line, font=font, fill=255 * inverted)
        yield Drawn("text", f"words_{number}", image, _HERE)


def charts(generator: Generator) -> Iterator[Drawn]:
    """Yield charts: lines, bars, heat maps, pies."""
    from matplotlib.figure import Figure

    kinds: tuple[Callable[[Any], object], ...] = (
        lambda axes: axes.plot(generator.normal(size=50).cumsum()),
        lambda axes: axes.bar(range(6), generator.uniform(size=6)),
        lambda axes: axes.imshow(generator.uniform(size=(8, 8))),
        lambda axes: axes.pie(generator.uniform(size=4)),
    )
    for number in range(12):
        figure = Figure(figsize=(3, 3))
        kinds[number % len(kinds)](figure.subplots())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        image = Image.open(buffer).convert("RGB")
        yield Drawn("charts", f"plot_{number}", image, _HERE)


def of_scikit_image(generator: Generator) -> Iterator[Drawn]:
    """Yield scikit-image's photographs, textures, pages, microscopy, charts and phantom, and faces."""
    data = _installed("skimage", "scikit-image") / "data"
    for folder, (count, names) in _SCIKIT_IMAGE.items():
        for file in names:
            stem = Path(file).stem
            whole = Image.open(data / file).convert("RGB")
            for name, image in crops(stem, whole, count, generator):
                yield Drawn(folder, name, image, _LICENCES.get(stem, ""))
    for number, face in enumerate(np.load(data / "lfw_subset.npy")[:100:5]):
        small = Image.fromarray(np.asarray(face * 255, dtype=np.uint8))
        yield Drawn("faces", f"face_{number}", small.resize((200, 200)), "")


def of_scikit_learn(generator: Generator) -> Iterator[Drawn]:
    """Yield scikit-learn's two photographs and parts of them."""
    data = _installed("sklearn", "scikit-learn") / "datasets" / "images"
    for stem, author in (("china", "danielbuechele"), ("flower", "vultilion")):
        whole = Image.open(data / f"{stem}.jpg").convert("RGB")
        for name, image in crops(stem, whole, 8, generator):
            yield Drawn("photos", name, image, f"{_CC_BY} ({author}, scikit-learn)")


def of_pydicom() -> Iterator[tuple[bool, Drawn]]:
    """Yield pydicom's DICOM test files that hold an image, each image once, and whether it shows a head."""
    import pydicom

    folder = _installed("pydicom", "pydicom") / "data" / "test_files"
    seen = set()
    for path in sorted(folder.glob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path, force=True)
            pixels = _as_grey_or_colour(np.asarray(dataset.pixel_array))
        except Exception:  # noqa: S112 -- damaged on purpose, or without a decoder
            continue
        if pixels is None:
            continue
        key = (pixels.shape, int(pixels.astype(np.float64).mean()))
        if key not in seen:
            seen.add(key)
            modality = str(dataset.get("Modality", "none")) or "none"
            name = f"{modality}_{path.stem}"
            yield path.stem in _HEADS, Drawn("dicom", name, Image.fromarray(pixels), "")


def write(images: Iterable[Drawn], folder: Path) -> None:
    """Write the images of sets and licences.csv into a folder."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "licence"])
    for drawn in images:
        (folder / drawn.folder).mkdir(parents=True, exist_ok=True)
        name = f"{drawn.folder}/{drawn.name}.png"
        buffer = io.BytesIO()
        drawn.image.save(buffer, "PNG")
        write_bytes_atomically(folder / name, buffer.getvalue())
        table.writerow([name, drawn.licence])
    write_bytes_atomically(folder / "licences.csv", text.getvalue().encode())


def main() -> None:
    """Write the images."""
    parser = argparse.ArgumentParser(description="Write images that are no brain MRI.")
    parser.add_argument("--output", type=Path, required=True, help="gets far/ and near/")
    output: Path = parser.parse_args().output
    generator = np.random.default_rng(0)
    dicom = list(of_pydicom())
    far = [
        *of_scikit_image(generator),
        *of_scikit_learn(generator),
        *noise(generator),
        *flat(),
        *shapes(generator),
        *text_pages(generator),
        *charts(generator),
        *(drawn for is_head, drawn in dicom if not is_head),
    ]
    heads = [drawn._replace(folder="head_ct") for is_head, drawn in dicom if is_head]
    write(far, output / "far")
    write(heads, output / "near")
    print(f"{len(far)} far images, {len(heads)} of head CT")


def _drawn(folder: str, name: str, greys: NDArray[Any]) -> Drawn:
    return Drawn(folder, name, Image.fromarray(greys.astype(np.uint8)), _HERE)


def _stretched(pixels: NDArray[Any], lowest: float, highest: float) -> NDArray[np.uint8]:
    """Stretch greys between two percentiles to 0..255."""
    low, high = np.percentile(pixels, [lowest, highest])
    return np.asarray(np.clip((pixels - low) / max(high - low, 1e-9), 0, 1) * 255, dtype=np.uint8)


def _as_grey_or_colour(pixels: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Take the middle frame of several; None for what is too small or of another kind."""
    is_colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    if pixels.ndim > (3 if is_colour else 2):
        pixels = pixels[len(pixels) // 2]
    if min(pixels.shape[:2]) < _LEAST_SIDE:
        return None
    if pixels.ndim == 2:
        return _stretched(pixels, 0.5, 99.5)
    return pixels if pixels.dtype == np.uint8 else None


def _installed(module: str, package: str) -> Path:
    """Return the folder of a package."""
    found = find_spec(module)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed: pip install {package}")
    return Path(found.origin).parent


if __name__ == "__main__":
    main()
