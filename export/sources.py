"""Whose work is in the weights: data sets and pretrained weights, with the licences that ask to be named."""

from collections.abc import Mapping
from typing import Any

__all__ = ["DATA_SETS", "PRETRAINED", "sources"]

#: By the data set's name in a manifest (docs/data.md).
DATA_SETS = {
    "brisc2025": "BRISC 2025, Fateh et al., arXiv 2506.14318, CC BY 4.0",
    "tcia_btp": (
        "Brain-Tumor-Progression, Schmainda, Prah, The Cancer Imaging Archive 2018, "
        "doi 10.7937/K9/TCIA.2018.15quzvnb, CC BY 3.0"
    ),
    "vqamed2019": "VQA-Med 2019, Ben Abacha et al., from MedPix, CC BY 4.0",
}

#: By what ``brain-train --weights`` was given.
PRETRAINED = {"imagenet": "EfficientNet-Lite's ImageNet weights, Google, Apache-2.0"}

#: What ``weights`` of a provenance is where there is nobody to name.
_NOBODYS = {"random", "unknown", "None"}


def sources(provenance: Mapping[str, Any]) -> list[str]:
    """Return a line for each source that the provenance of a bundle names and that is known here.

    Args:
        provenance: With ``data``, the names of the data sets, separated by commas, and perhaps ``weights``.
    """
    names = [name.strip() for name in str(provenance.get("data", "")).split(",")]
    lines = [f"Training data: {DATA_SETS[name]}." for name in names if name in DATA_SETS]
    weights = str(provenance.get("weights", "random"))
    if weights in PRETRAINED:
        lines.append(f"Training started from: {PRETRAINED[weights]}.")
    elif weights not in _NOBODYS:
        lines.append(f"Training started from the weights {weights}: their sources count too.")
    return lines
