"""Write a refitted bundle: every file as it was, but manifest and model card."""

from pathlib import Path
from typing import Any

from edge_infer.bundle import Bundle, write_bundle
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name
from export.model_card import intended_use, model_card
from export.refit.refitting import Refit
from export.rewriting import kept_fields, kept_files

__all__ = ["bundle_contents", "refuse_mixed_folders", "write_refit"]


def refuse_mixed_folders(bundle: Path, folder: Path, output: Path) -> None:
    """Refuse to write over the bundle that is refitted, or among the images.

    Raises:
        CannotWrite: The output is the bundle's folder, or lies in that of the images.
    """
    if bundle.resolve() == output.resolve():
        raise CannotWrite(
            f"{shown_name(output)}: is the bundle that is refitted",
            hint="name a new folder: the old bundle stays, to compare with and to go back to",
        )
    if output.resolve().is_relative_to(folder.resolve()):
        raise CannotWrite(
            f"{shown_name(output)}: lies in the folder of the images",
            hint="name a folder outside of it: the next refit would read the bundle's golden.png as a scan",
        )


def bundle_contents(bundle: Bundle) -> dict[str, bytes]:
    """Read the files of a loaded bundle that stay as they are.

    Raises:
        BundleIntegrity: One has changed since the bundle was loaded.
        BundleIncomplete: One cannot be read.
    """
    return {name: data for name, data in kept_files(bundle).items() if name != "README.md"}


def write_refit(target: Path, bundle: Bundle, contents: dict[str, bytes], fitted: Refit) -> Bundle:
    """Write the new bundle as a whole or not at all, and return it as loaded back.

    Args:
        target: Folder of the new bundle.
        bundle: The old one.
        contents: As ``bundle_contents`` gives them.
        fitted: What is new.

    Raises:
        CannotWrite: The target cannot be written; what was there before is unchanged.
        OutputLocked: Another process is writing the same target.
    """
    provenance = bundle.manifest["provenance"]
    # Its answers were decided by the old thresholds, on other images.
    fields = {key: value for key, value in kept_fields(bundle).items() if key != "drift"}
    body: dict[str, Any] = {
        **fields,
        "calibration": fitted.calibration,
        "intended_use": intended_use(bundle.classes),
        "provenance": {
            **provenance,
            "refits": [*provenance.get("refits", []), fitted.record],
        },
        "trust": fitted.trust,
    }
    card = model_card(body, bundle.classes)
    return write_bundle(target, {**contents, "README.md": card.encode()}, body)
