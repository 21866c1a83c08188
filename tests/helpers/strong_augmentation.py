"""Settings that use every part of the augmentation."""

from train.recipe import Augmentation

STRONG = Augmentation(
    rotation_degrees=30,
    scale=(0.6, 1.3),
    aspect=0.2,
    shift=0.1,
    horizontal_flip=0.5,
    vertical_flip=0.5,
    brightness=0.5,
    contrast=0.5,
    gamma=0.7,
    noise=0.2,
    blur=0.5,
    erase=0.5,
    quarter_turns=0.5,
    contrast_curve=0.8,
    non_monotone=0.4,
    bias_field=0.4,
    low_resolution=0.5,
    jpeg=0.5,
    frame=0.5,
)
