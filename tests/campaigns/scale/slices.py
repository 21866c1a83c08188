"""Time a slice by the form in which it is stored, in one process: what decoding adds to the cost of an archive.

    python tests/campaigns/scale/slices.py [--rounds 5] [--result docs/scale/slices.json]

The same 40 slices, validation images of BRISC, are written in each form; every round answers them in each form once, in
another order, and ratios are taken within a round. Times are processor time, reading from memory the system had read
before.
"""

import argparse
import io
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "helpers"))
from dicom_files import compressed, file_bytes, mr_slice
from scale.images import validation_images
from scale.records import TOP, circumstances, write_json
from tqdm import tqdm

from edge_infer import Classifier
from edge_infer.batch.answering import answer_units
from edge_infer.batch.units import Unit

WORK = TOP / "runs" / "scale" / "slices"
SLICES = 40
#: Turns an 8-bit image and its number into the bytes of a file.
Form = Callable[[Image.Image, int], bytes]


def main() -> None:
    """Write the forms, measure, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "slices.json")
    given = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    folders = {name: written(name, form) for name, form in FORMS.items()}
    sizes = {
        name: sum(path.stat().st_size for path in folder.iterdir()) / SLICES
        for name, folder in folders.items()
    }
    classifier = Classifier.load(num_threads=1)
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    names = list(FORMS)
    for number in tqdm(range(given.rounds + 1), unit="round"):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = time.process_time()
            rows = answered(classifier, folders[name])
            if number:  # the first round warms up
                times[name].append(1000 * (time.process_time() - started) / SLICES)
            assert rows >= SLICES, (name, rows)
    shutil.rmtree(WORK)
    base = times[names[0]]
    forms = {
        name: {
            "cpu_ms": statistics.median(found),
            "ratio": ratios([one / other for one, other in zip(found, base, strict=True)]),
            "bytes": sizes[name],
        }
        for name, found in times.items()
    }
    write_json(
        given.result,
        {
            "circumstances": circumstances(),
            "slices": SLICES,
            "rounds": given.rounds,
            "forms": forms,
        },
    )
    for name, row in forms.items():
        print(name, row)


def written(name: str, form: Form) -> Path:
    """Write the slices in one form to a folder of their own."""
    folder = WORK / "".join(letter if letter.isalnum() else "-" for letter in name)
    folder.mkdir(parents=True)
    for number, path in enumerate(validation_images()[:SLICES], start=1):
        with Image.open(path) as image:
            grey = image.convert("L").resize((256, 256), Image.Resampling.BICUBIC)
        (folder / f"{number:03d}.{'dcm' if name.startswith('DICOM') else 'img'}").write_bytes(
            form(grey, number)
        )
    for path in folder.glob("*.img"):
        path.rename(path.with_suffix(".png" if "PNG" in name else ".jpg"))
    return folder


def answered(classifier: Classifier, folder: Path) -> int:
    """Answer a folder as a worker does, and return how many rows it gave."""
    paths = sorted(map(str, folder.iterdir()))
    if paths[0].endswith(".dcm"):
        units = [Unit(kind="study", source=str(folder), members=tuple(paths))]
    else:
        units = [Unit(kind="image", source=path) for path in paths]
    numbered = enumerate(units)
    answers = answer_units(classifier, numbered, on_start=lambda _number: None, embeddings=False)
    found = [row for _, rows in answers for row in rows]
    assert all(row["state"] != "failed" for row in found), found
    return len(found)


def ratios(found: list[float]) -> list[float]:
    """Return median, smallest and largest."""
    return [statistics.median(found), min(found), max(found)]


def encoded(kind: str, side: int, **options: Any) -> Form:
    """Return the form of an image file."""

    def form(image: Image.Image, _number: int) -> bytes:
        buffer = io.BytesIO()
        image.resize((side, side), Image.Resampling.BICUBIC).save(buffer, kind, **options)
        return buffer.getvalue()

    return form


def dicom(syntax: str, side: int) -> Form:
    """Return the form of a DICOM file of 12 bits in a transfer syntax."""

    def form(image: Image.Image, number: int) -> bytes:
        pixels = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)).astype(np.uint16)
        dataset = mr_slice(16 * pixels, number=number, position=(0, 0, 2.0 * number))
        return file_bytes(dataset if syntax == "explicit" else compressed(dataset, syntax))

    return form


FORMS: dict[str, Form] = {
    "JPEG, 256 x 256": encoded("JPEG", 256, quality=90),
    "JPEG, 512 x 512": encoded("JPEG", 512, quality=90),
    "PNG, 512 x 512": encoded("PNG", 512),
    "DICOM, 256 x 256": dicom("explicit", 256),
    "DICOM, 512 x 512": dicom("explicit", 512),
    "DICOM, JPEG-LS, 512 x 512": dicom("jpeg-ls", 512),
    "DICOM, JPEG 2000, 512 x 512": dicom("jpeg-2000", 512),
    "DICOM, JPEG Lossless, 512 x 512": dicom("jpeg-lossless-sv1", 512),
}

if __name__ == "__main__":
    main()
