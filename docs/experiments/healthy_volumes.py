"""Slices of healthy volumes as further no_tumor images of the train part, and a manifest that has them.

    python docs/experiments/healthy_volumes.py --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \
        --output HEALTHY
    brain-train --data COMMON-PARENT --manifest HEALTHY/manifest.csv ...

MNI152 2009a (an average of 152 heads, skull-stripped) in three planes, and two DICOM series whose licences allow it
(7T T1; MPRAGE). Three heads are few; docs/experiments.md says whether they help. Needs nibabel and pydicom, which
the project does not ask for. The product does not import this.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.contract import LABELS
from train.data.layouts import load_samples
from train.data.manifest_csv import write_manifest
from train.data.samples import Sample

__all__ = ["main", "series_slices", "volume_slices"]

_STEP = 3  # of MNI152, 1 mm each
_MIDDLE = (0.25, 0.8)  # of each axis: where there is brain


def volume_slices(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield names and slices, (H, W), of a NIfTI volume: sagittal, coronal and axial, the nose up or left."""
    import nibabel

    volume = np.asarray(nibabel.load(path).dataobj)  # (x, y, z), to the right, front and top
    for axis, plane in enumerate(("sa", "co", "ax")):
        length = volume.shape[axis]
        for place in range(int(_MIDDLE[0] * length), int(_MIDDLE[1] * length), _STEP):
            yield f"mni152_{plane}_{place}", np.rot90(volume.take(place, axis=axis))


def series_slices(folder: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield names and slices, (H, W), of a folder of single-frame DICOM files."""
    import pydicom

    for path in sorted(folder.glob("*.dcm")):
        yield f"{folder.name}_{path.stem}", pydicom.dcmread(path).pixel_array


def main() -> None:
    """Write the slices and the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--dataset", default="")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    slices = given.output / "no_tumor"
    slices.mkdir(parents=True, exist_ok=True)
    samples = load_samples(given.data, manifest=given.manifest, dataset=given.dataset, verify=False)
    heads = [
        *(("mni152", one) for path in given.data.glob("nifti/*") for one in volume_slices(path)),
        *(
            (name, one)
            for name in ("philips_classic", "t1_7t_series")
            for one in series_slices(given.data / "dicom" / name)
        ),
    ]
    for head, (name, pixels) in heads:
        path = slices / f"{name}.png"
        _grey(pixels).save(path)
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
    print(f"{len(heads)} slices of {len({head for head, _ in heads})} heads: {slices}")


def _grey(pixels: NDArray[Any]) -> Image.Image:
    """Scale to 0..255 with the brightest half percent cut, square pixels assumed."""
    low, high = float(pixels.min()), float(np.percentile(pixels, 99.5))
    scaled = np.clip((pixels.astype(np.float64) - low) / (high - low), 0, 1)
    return Image.fromarray(np.uint8(np.round(scaled * 255)), mode="L")


if __name__ == "__main__":
    main()
