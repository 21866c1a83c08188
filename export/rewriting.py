"""A bundle's files and fields, as they are: what a bundle that changes in part takes over."""

from typing import Any

from edge_infer.bundle import Bundle
from edge_infer.bundle_files import read_bundle_files
from edge_infer.errors import BundleIntegrity
from edge_infer.model_file import describe_file

__all__ = ["kept_fields", "kept_files"]

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


def kept_files(bundle: Bundle) -> dict[str, bytes]:
    """Read the files of a loaded bundle, but for its manifest.

    Raises:
        BundleIntegrity: One has changed since the bundle was loaded.
        BundleIncomplete: One cannot be read.
    """
    contents = read_bundle_files(bundle.path)
    for name, described in bundle.manifest["files"].items():
        if name not in contents or describe_file(contents[name]) != described:
            raise BundleIntegrity(f"{name}: has changed since the bundle was loaded")
    return {name: data for name, data in contents.items() if name != "manifest.json"}


def kept_fields(bundle: Bundle) -> dict[str, Any]:
    """Return the fields of its manifest that ``write_bundle`` takes."""
    return {key: value for key, value in bundle.manifest.items() if key not in _FILLED_IN}
