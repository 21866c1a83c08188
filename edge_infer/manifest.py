"""manifest.json: what a bundle is, in one canonical form that includes its own digest.

The file is canonical JSON and holds its own SHA-256, so a flipped bit in it is found, and the digests it lists find a
flipped bit in the other files. This protects from damage and mix-ups; it is not a signature.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from edge_infer.baseline.reading import read_drift
from edge_infer.classes import MOST_CLASSES, is_label
from edge_infer.contract import BUNDLE_SCHEMA_VERSION, LARGEST_INT8
from edge_infer.errors import BundleIncompatible, BundleIncomplete, BundleIntegrity
from edge_infer.plain_json import is_number, is_whole, parse_object, shown_value
from edge_infer.series_rule import read_series_rule
from edge_infer.trust import read_trust

__all__ = ["PRECISIONS", "canonical_json", "parse_manifest", "render_manifest"]

PRECISIONS = ("fp32", "fp16", "int8")

_SELF_DIGEST = "manifest_sha256"

# Above it, all classes are equally likely; below its inverse, one class has probability 1.
_LARGEST_TEMPERATURE = 1e6

#: Every field and its JSON type; docs/bundle.md says what they mean.
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "calibration": dict,
    "drift": (dict, type(None)),
    "files": dict,
    "gate": (dict, type(None)),
    "golden": list,
    "image_size": dict,
    "intended_use": str,
    "labels": list,
    "manifest_sha256": str,
    "metrics": dict,
    "model": str,
    "opset": int,
    "parity": dict,
    "precision": str,
    "provenance": dict,
    "quantization": dict,
    "research_use_only": str,
    "schema_version": int,
    "self_test": dict,
    "series": (dict, type(None)),
    "trust": (dict, type(None)),
}

#: Fields that older bundles do not have, and the schema they came with.
_SINCE_SCHEMA = {"self_test": 2, "trust": 3}

#: Fields that may be absent: what they say concerns nobody who does not know them.
_OPTIONAL = {"drift", "series"}


def canonical_json(fields: Mapping[str, Any]) -> bytes:
    """Render JSON in the one form that a bundle uses: sorted keys, two spaces, UTF-8, no NaN.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def render_manifest(body: Mapping[str, Any]) -> bytes:
    """Render manifest.json.

    Args:
        body: All fields; ``manifest_sha256`` is filled in here.

    Raises:
        BundleIncomplete: A field is missing.
        BundleIncompatible: A field is of another type.
        ValueError: A value is not JSON.
    """
    rendered = canonical_json({**body, _SELF_DIGEST: _self_digest(body)})
    parse_manifest(rendered)
    return rendered


def parse_manifest(data: bytes) -> dict[str, Any]:
    """Read and check manifest.json.

    Raises:
        BundleIntegrity: It is not byte for byte what ``render_manifest`` writes.
        BundleIncompatible: A newer package made it, or a field is of another type.
        BundleIncomplete: A field is missing.
    """
    try:
        manifest = parse_object(data.decode())
        is_canonical = canonical_json(manifest) == data
    except (ValueError, RecursionError) as error:
        raise _damaged() from error
    if not is_canonical or manifest.get(_SELF_DIGEST) != _self_digest(manifest):
        raise _damaged()
    _check_fields(manifest)
    return manifest


def _self_digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json({**fields, _SELF_DIGEST: ""})).hexdigest()


def _check_fields(manifest: Mapping[str, Any]) -> None:
    version = manifest.get("schema_version")
    if version is not None and not is_whole(version, 1, BUNDLE_SCHEMA_VERSION):
        raise BundleIncompatible(
            f"manifest.json: schema_version is {shown_value(version)}, "
            f"expected 1..{BUNDLE_SCHEMA_VERSION}",
            hint="install a newer brain-edge",
        )
    for name, kind in _FIELDS.items():
        if name not in manifest and version is not None and version < _SINCE_SCHEMA.get(name, 1):
            continue
        if name not in manifest and name in _OPTIONAL:
            continue
        if name not in manifest:
            raise BundleIncomplete(f"manifest.json: field {name} is missing")
        value = manifest[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BundleIncompatible(f"manifest.json: {name} is {type(value).__name__}")
    _check_values(manifest)


def _check_values(manifest: Mapping[str, Any]) -> None:
    if manifest["precision"] not in PRECISIONS:
        raise _unexpected("precision", manifest["precision"], f"{PRECISIONS}")
    if not is_label(manifest["model"]):
        raise _unexpected("model", manifest["model"], "a name that can be printed")
    labels = manifest["labels"]
    is_many = 2 <= len(labels) <= MOST_CLASSES
    if not is_many or not all(map(is_label, labels)) or len(set(labels)) != len(labels):
        expected = f"two or more names that can be printed, at most {MOST_CLASSES}"
        raise _unexpected("labels", labels, expected)
    temperature = manifest["calibration"].get("temperature")
    if not is_number(temperature, 1 / _LARGEST_TEMPERATURE, _LARGEST_TEMPERATURE):
        raise _unexpected("calibration.temperature", temperature, "a positive number")
    largest = manifest["quantization"].get("largest_weight", LARGEST_INT8)
    if not is_whole(largest, 0, LARGEST_INT8):
        raise _unexpected("quantization.largest_weight", largest, f"0..{LARGEST_INT8}")
    trust = manifest.get("trust")
    if trust is not None:
        _check_trust(trust, manifest)
    read_series_rule(manifest.get("series"))
    read_drift(manifest.get("drift"), labels)


def _check_trust(trust: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    version = manifest["schema_version"]
    if version < _SINCE_SCHEMA["trust"]:  # skipping it would accept what the bundle does not
        raise _unexpected("schema_version", version, f"{_SINCE_SCHEMA['trust']} or more with trust")
    read_trust(trust, manifest["labels"])


def _unexpected(name: str, value: object, expected: str) -> BundleIncompatible:
    return BundleIncompatible(f"manifest.json: {name} is {shown_value(value)}, expected {expected}")


def _damaged() -> BundleIntegrity:
    return BundleIntegrity(
        "manifest.json: is not the file that was written (its SHA-256 or form differs)",
        hint="copy the bundle again, or export it again",
    )
