"""Read a baseline strictly: whoever loads a bundle checks all of its manifest, and computes with no number unseen."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.parts import Baseline, Part, Points, Share
from edge_infer.plain_json import is_number, is_whole
from edge_infer.scope_check import is_text, require

__all__ = ["BASELINE_VERSION", "packed", "read_baseline", "read_drift"]

BASELINE_VERSION = 1

_MOST_IMAGES, _MOST_MEASURES, _MOST_PARTS, _MOST_CATEGORIES = 10**12, 64, 64, 256
#: Of quantiles, of points and of their coordinates.
_MOST_NUMBERS = 4096
#: Coordinates of a point by projection, as ``edge_infer.drift.projection`` makes them.
_WIDTHS = {"signs-shake256-24": 25}
_BY = (None, "label", "plane", "device")


def packed(values: NDArray[Any], kind: str = "<f2") -> str:
    """Return an array as a manifest holds it: little-endian, in row order, base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def read_drift(fields: Mapping[str, Any] | None, labels: Sequence[str]) -> Baseline | None:
    """Read ``drift`` of a manifest, None without one; raises as ``read_baseline``."""
    return None if fields is None else read_baseline(fields, labels)


def read_baseline(fields: Mapping[str, Any], labels: Sequence[str]) -> Baseline:
    """Check and read a baseline.

    Args:
        fields: The object.
        labels: Of the bundle.

    Raises:
        BundleIncompatible: A field is missing, of another form, or a number that cannot be computed with.
    """
    version = fields.get("version")
    require(is_whole(version, 1, BASELINE_VERSION), "drift.version", version, f"{BASELINE_VERSION}")
    fitted = _object(fields, "fitted_on", "drift")
    source, n, groups = fitted.get("source"), fitted.get("n"), fitted.get("groups")
    require(is_text(source), "drift.fitted_on.source", source, "a text that can be printed")
    require(is_whole(n, 1, _MOST_IMAGES), "drift.fitted_on.n", n, "a number of images")
    most: Any = n
    require(is_whole(groups, 1, most), "drift.fitted_on.groups", groups, f"1..{n}")
    measures = fields.get("measures")
    is_list = isinstance(measures, list) and 1 <= len(measures) <= _MOST_MEASURES
    is_named = (
        is_list
        and all(map(is_text, measures or ()))
        and len(set(measures or ())) == len(measures or ())
    )
    require(is_named, "drift.measures", measures, "names, each once")
    parts = fields.get("parts")
    is_list = isinstance(parts, list) and 1 <= len(parts) <= _MOST_PARTS
    require(is_list, "drift.parts", type(parts).__name__, f"1 to {_MOST_PARTS} objects")
    read = tuple(_part(one, tuple(measures or ()), labels) for one in parts or ())
    places = [(one.by, one.name) for one in read]
    require(places[0] == (None, None), "drift.parts", places[0], "all images first")
    require(len(set(places)) == len(places), "drift.parts", len(places), "each once")
    require(read[0].n == n, "drift.parts: n", read[0].n, f"{n} for all images")
    return Baseline(
        source=str(source),
        n=int(fitted["n"]),
        groups=int(fitted["groups"]),
        labels=tuple(labels),
        parts=read,
        points=_points(fields.get("embedding"), len(labels)),
    )


def _part(fields: object, measures: Sequence[str], labels: Sequence[str]) -> Part:
    require(isinstance(fields, dict), "drift.parts", type(fields).__name__, "objects")
    found: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
    by, name, n = found.get("by"), found.get("name"), found.get("n")
    require(by in _BY, "drift.parts: by", by, f"{_BY}")
    is_name = name is None if by is None else is_text(name)
    require(is_name and (by != "label" or name in labels), "drift.parts: name", name, "a name")
    require(is_whole(n, 1, _MOST_IMAGES), "drift.parts: n", n, "a number of images")
    effective = found.get("effective_n")
    is_list = isinstance(effective, list) and len(effective) == len(measures)
    is_right = is_list and all(is_number(one, 1, found["n"]) for one in effective or ())
    require(is_right, "drift.parts: effective_n", effective, f"{len(measures)} numbers, 1..{n}")
    values = _array(found.get("quantiles"), len(measures), "drift.parts: quantiles")
    is_rising = bool((np.diff(values, axis=1) >= 0).all())
    require(is_rising, "drift.parts: quantiles", "unsorted", "rising numbers")
    shares = _object(found, "shares", "drift.parts")
    return Part(
        by=by,
        name=name,
        n=int(found["n"]),
        quantiles=dict(zip(measures, values, strict=True)),
        effective_n=dict(zip(measures, map(float, effective or ()), strict=True)),
        shares={str(kind): _share(one, int(found["n"])) for kind, one in shares.items()},
    )


def _share(fields: object, n: int) -> Share:
    found: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
    counts, effective = found.get("counts"), found.get("effective_n")
    is_right = isinstance(counts, dict) and 1 <= len(counts) <= _MOST_CATEGORIES
    is_right = is_right and all(map(is_text, counts or ()))
    is_right = is_right and all(is_whole(one, 0, n) for one in (counts or {}).values())
    is_right = is_right and sum((counts or {}).values()) == n
    require(is_right, "drift.parts: shares", counts, f"counts whose sum is {n}")
    is_size = is_number(effective, 1, n)
    require(is_size, "drift.parts: shares.effective_n", effective, f"1..{n}")
    return Share(counts=dict(counts or {}), effective_n=float(found["effective_n"]))


def _points(fields: object, classes: int) -> Points | None:
    if fields is None:
        return None
    require(isinstance(fields, dict), "drift.embedding", type(fields).__name__, "an object or null")
    found: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
    projection, effective = found.get("projection"), found.get("effective_n")
    require(is_text(projection), "drift.embedding.projection", projection, "a name")
    labels = _bytes(found.get("labels"), "drift.embedding.labels")
    numbers = np.frombuffer(labels, dtype=np.uint8).astype(np.int64)
    is_right = 2 <= len(numbers) <= _MOST_NUMBERS and int(numbers.max(initial=0)) < classes
    require(is_right, "drift.embedding.labels", len(numbers), f"class ids below {classes}")
    values = _array(found.get("values"), len(numbers), "drift.embedding.values")
    width = _WIDTHS.get(str(projection), values.shape[1])
    is_wide = values.shape[1] == width
    require(is_wide, "drift.embedding.values", values.shape[1], f"{width} numbers of each image")
    is_size = is_number(effective, 1, len(numbers))
    require(is_size, "drift.embedding.effective_n", effective, f"1..{len(numbers)}")
    return Points(
        projection=str(projection),
        values=values,
        labels=numbers,
        effective_n=float(found["effective_n"]),
    )


def _array(text: object, rows: int, name: str) -> NDArray[np.float64]:
    """Return (rows, columns) finite numbers."""
    data = _bytes(text, name)
    is_right = rows > 0 and len(data) > 0 and len(data) % (2 * rows) == 0
    is_right = is_right and len(data) // (2 * rows) <= _MOST_NUMBERS
    require(is_right, name, f"{len(data)} bytes", f"{rows} rows of float16")
    values = np.frombuffer(data, dtype="<f2").astype(np.float64).reshape(rows, -1)
    require(bool(np.isfinite(values).all()), name, "NaN or infinity", "finite numbers")
    return values


def _bytes(text: object, name: str) -> bytes:
    require(isinstance(text, str), name, type(text).__name__, "base64")
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError:  # of which binascii.Error is one; text that is not ASCII is another
        require(False, name, "another text", "base64")
        return b""


def _object(holder: Mapping[str, Any], name: str, inside: str) -> Mapping[str, Any]:
    value = holder.get(name)
    require(isinstance(value, dict), f"{inside}.{name}", type(value).__name__, "an object")
    return value if isinstance(value, dict) else {}
