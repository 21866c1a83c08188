"""Make the example scans: slices of the MNI152 average brain with drawn lesions. Synthetic, not patients.

    pip install nibabel && python examples/make_examples.py MNI152_T1.nii.gz

The template is the MNI ICBM 2009a nonlinear symmetric T1 average (see examples/README.md for its notice).
"""

import sys
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIDE = 256
SEED = 20261121


def slice_of(volume: NDArray[np.float32], axis: int, position: float) -> Image.Image:
    """Cut one plane, upright and centred in a square, scaled so that white matter is light grey."""
    plane = np.take(volume, int(position * volume.shape[axis]), axis=axis)
    plane = np.flipud(plane.T)
    grey = np.clip(plane / np.percentile(volume[volume > 0], 99.5) * 215, 0, 255).astype(np.uint8)
    rows, columns = np.nonzero(grey > 12)
    grey = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = max(grey.shape) + 14
    square = np.zeros((side, side), np.uint8)
    top, left = ((side - length) // 2 for length in grey.shape)
    square[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def blob(
    centre: tuple[int, int], radius: int, generator: np.random.Generator, irregular: float
) -> Image.Image:
    """Draw a soft mask: a closed curve around a centre, more or less irregular."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = sum(
        generator.normal() * np.cos(k * angles + generator.uniform(0, 6.3)) for k in (2, 3, 4)
    )
    radii = radius * (1 + irregular * waves / 3)
    points = [
        (centre[0] + r * np.cos(a), centre[1] + r * np.sin(a))
        for r, a in zip(radii, angles, strict=True)
    ]
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(1.6))


def inside_brain(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Cut a mask where the brain ends."""
    brain = image.point(lambda grey: 255 if grey > 12 else 0).filter(ImageFilter.MedianFilter(9))
    return ImageChops.multiply(mask, brain)


def paint(image: Image.Image, mask: Image.Image, level: int) -> Image.Image:
    """Set a masked place to a grey level."""
    return Image.composite(Image.new("L", image.size, level), image, mask)


def noisy(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Add scanner-like noise."""
    values = np.asarray(image, np.float32) + generator.normal(0, 4, (SIDE, SIDE))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def main(template: str) -> None:
    """Write the four pictures."""
    volume = np.asarray(nibabel.load(template).get_fdata(), np.float32)  # type: ignore[attr-defined] # untyped
    generator = np.random.default_rng(SEED)
    axial, coronal, sagittal = (
        slice_of(volume, 2, 0.55),
        slice_of(volume, 1, 0.50),
        slice_of(volume, 0, 0.50),
    )
    glioma = paint(axial, inside_brain(axial, blob((172, 112), 40, generator, 0.25)), 80)  # oedema
    glioma = paint(glioma, blob((170, 114), 26, generator, 0.25), 235)  # enhancing rim
    glioma = paint(glioma, blob((170, 114), 17, generator, 0.3), 40)  # necrotic core
    meningioma = paint(coronal, inside_brain(coronal, blob((62, 62), 30, generator, 0.06)), 240)
    pituitary = paint(sagittal, blob((153, 178), 17, generator, 0.08), 238)
    pictures = {
        "no_tumor_axial": axial,
        "glioma_axial": glioma,
        "meningioma_coronal": meningioma,
        "pituitary_sagittal": pituitary,
    }
    for name, picture in pictures.items():
        noisy(picture, generator).save(HERE / f"synthetic_{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
