"""The names data sets give to their parts."""

from train.data.samples import Split

__all__ = ["split_of"]

_SPLIT_OF: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


def split_of(name: str) -> Split | None:
    """Return the split that a folder or file name stands for, or None."""
    return _SPLIT_OF.get(name.lower())
