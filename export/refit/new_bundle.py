"""Write a refitted bundle: every file as it was, but manifest and model card."""

from pathlib import Path
from typing import Any

from edge_infer.bundle import Bundle, write_bundle
from edge_infer.bundle_files import read_bundle_files
from edge_infer.errors import BundleIntegrity, CannotWrite
from edge_infer.model_file import describe_file
from edge_infer.names import shown_name
from export.model_card import intended_use, model_card
from export.refit.refitting import Refit

__all__ = ["bundle_contents", "refuse_mixed_folders", "write_refit"]

_REWRITTEN = {"README.md", "manifest.json"}
#: Fields that ``write_bundle`` fills in.
_FILLED_IN = {
    "files",
    "image_size",
    "labels",
    "manifest_sha256",
    "opset",
    "research_use_only",
    "schema_version",
}


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
    contents = read_bundle_files(bundle.path)
    for name, described in bundle.manifest["files"].items():
        if name not in contents or describe_file(contents[name]) != described:
            raise BundleIntegrity(f"{name}: has changed since the bundle was loaded")
    return {name: data for name, data in contents.items() if name not in _REWRITTEN}


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
    body: dict[str, Any] = {
        **{key: value for key, value in bundle.manifest.items() if key not in _FILLED_IN},
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
