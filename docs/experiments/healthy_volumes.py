"""Slices of healthy volumes as further no_tumor images of the train part, and a manifest that has them.

    python docs/experiments/healthy_volumes.py --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \
        --output HEALTHY
    brain-train --data COMMON-PARENT --manifest HEALTHY/manifest.csv ...

Without --manifest it writes the slices alone. HEALTHY/volumes.csv lists them for `brain-train volumes`, which says how
many of them a model calls no_tumor.

MNI152 2009a (an average of 152 heads, skull-stripped) in three planes, and two DICOM series whose licences allow it
(7T T1; MPRAGE). Three heads are few; docs/experiments.md says whether they help. Needs nibabel and pydicom, which
the project does not ask for. The product does not import this.
"""

import argparse
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS
from train.data.layouts import load_samples
from train.data.manifest_csv import write_manifest
from train.data.samples import Sample

__all__ = ["Cut", "main", "series_slices", "volume_slices", "write_volumes_table"]

_STEP = 3  # of MNI152, 1 mm each
_PLANES = {"sa": "sagittal", "co": "coronal", "ax": "axial"}
_MIDDLE = (0.25, 0.8)  # of each axis: where there is brain


class Cut(NamedTuple):
    """One slice: its file's stem, its volume and place in it, its plane if known, and its pixels, (H, W)."""

    name: str
    volume: str
    position: int
    plane: str
    pixels: NDArray[Any]


def volume_slices(path: Path) -> Iterator[Cut]:
    """Yield the slices of a NIfTI volume: sagittal, coronal and axial, the nose up or left."""
    import nibabel

    volume = np.asarray(nibabel.load(path).dataobj)  # (x, y, z), to the right, front and top
    for axis, (plane, whole) in enumerate(_PLANES.items()):
        length = volume.shape[axis]
        for place in range(int(_MIDDLE[0] * length), int(_MIDDLE[1] * length), _STEP):
            pixels = np.rot90(volume.take(place, axis=axis))
            yield Cut(f"mni152_{plane}_{place}", f"mni152_{plane}", place, whole, pixels)


def series_slices(folder: Path) -> Iterator[Cut]:
    """Yield the slices of a folder of single-frame DICOM files, in the order of their names."""
    import pydicom

    for place, path in enumerate(sorted(folder.glob("*.dcm"))):
        pixels = pydicom.dcmread(path).pixel_array
        yield Cut(f"{folder.name}_{path.stem}", folder.name, place, "", pixels)


def write_volumes_table(path: Path, cuts: Iterable[tuple[str, Cut]]) -> None:
    """Write the table that ``brain-train volumes`` reads; images lie in ``no_tumor`` beside it.

    Args:
        path: CSV to write.
        cuts: Each slice with the name of its head.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["source", "path", "label", "patient_id", "volume", "slice", "modality", "plane"]
    )
    for head, cut in cuts:
        name = f"no_tumor/{cut.name}.png"
        writer.writerow([head, name, "no_tumor", head, cut.volume, cut.position, "T1", cut.plane])
    write_bytes_atomically(path, text.getvalue().encode())


def main() -> None:
    """Write the slices, their table and, if asked, the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--dataset", default="")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    slices = given.output / "no_tumor"
    slices.mkdir(parents=True, exist_ok=True)
    heads = [
        *(("mni152", one) for path in given.data.glob("nifti/*") for one in volume_slices(path)),
        *(
            (name, one)
            for name in ("philips_classic", "t1_7t_series")
            for one in series_slices(given.data / "dicom" / name)
        ),
    ]
    for _, cut in heads:
        _grey(cut.pixels).save(slices / f"{cut.name}.png")
    write_volumes_table(given.output / "volumes.csv", heads)
    if given.manifest is not None:
        _write_manifest(given, heads)
    print(f"{len(heads)} slices of {len({head for head, _ in heads})} heads: {slices}")


def _write_manifest(given: argparse.Namespace, heads: Iterable[tuple[str, Cut]]) -> None:
    """Write the given data set's manifest with the slices added to its train part."""
    samples = load_samples(given.data, manifest=given.manifest, dataset=given.dataset, verify=False)
    for head, cut in heads:
        path = given.output / "no_tumor" / f"{cut.name}.png"
        samples.append(
            Sample(
                source=path,
                name=path.name,
                label=LABELS.index("no_tumor"),
                split="train",
                group=f"healthy {head}",
                dataset=given.dataset,
            )
        )
    write_manifest(given.output / "manifest.csv", samples)


def _grey(pixels: NDArray[Any]) -> Image.Image:
    """Scale to 0..255 with the brightest half percent cut, square pixels assumed."""
    low, high = float(pixels.min()), float(np.percentile(pixels, 99.5))
    scaled = np.clip((pixels.astype(np.float64) - low) / (high - low), 0, 1)
    return Image.fromarray(np.uint8(np.round(scaled * 255)), mode="L")


if __name__ == "__main__":
    main()
