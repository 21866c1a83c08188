"""Check what a manifest says about the scope check: every number is one that can be computed with."""

from collections.abc import Mapping, Sequence
from typing import Any

from edge_infer.errors import BundleIncompatible
from edge_infer.plain_json import LARGEST_LOGIT, is_number, is_whole, shown_value

__all__ = ["DTYPES", "METHOD", "array_shapes", "check_scope", "is_text", "require"]

METHOD = "mahalanobis-residual"

#: Of the arrays in scope.bin, with the bytes of one number.
DTYPES = {"float16": 2, "float32": 4}

_PLACE = "trust.scope"
_MOST = 2**20  # of anything that is counted along one axis
_SMALLEST, _LARGEST = 1 / LARGEST_LOGIT, LARGEST_LOGIT
_MOST_IMAGES = 10**12
_LONGEST_TEXT = 500


def check_scope(description: Mapping[str, Any], classes: int) -> None:
    """Check ``trust.scope`` of a manifest.

    Args:
        description: The object.
        classes: Number of classes of the bundle.

    Raises:
        BundleIncompatible: A field is missing, of another form, or a number that cannot be computed with; an array is
            missing, stated twice, unknown, or of a size that does not fit the others.
    """
    method = description.get("method")
    require(method == METHOD, f"{_PLACE}.method", method, METHOD)
    threshold = description.get("threshold")
    is_positive = is_number(threshold, _SMALLEST, _LARGEST)
    require(is_positive, f"{_PLACE}.threshold", threshold, "a positive number")
    accepted = description.get("accepted")
    require(is_number(accepted, 0, 1), f"{_PLACE}.accepted", accepted, "0..1")
    fitted = _object(description, "fitted_on")
    for name in ("train", "threshold"):
        text, count = fitted.get(name), fitted.get(f"n_{name}")
        require(is_text(text), f"{_PLACE}.fitted_on.{name}", text, "a text that can be printed")
        is_count = is_whole(count, 1, _MOST_IMAGES)
        require(is_count, f"{_PLACE}.fitted_on.n_{name}", count, "a number of images")
    scales = _object(description, "scales")
    for name in ("mahalanobis", "residual"):
        is_positive = is_number(scales.get(name), _SMALLEST, _LARGEST)
        require(is_positive, f"{_PLACE}.scales.{name}", scales.get(name), "a positive number")
    _check_sizes(array_shapes(description), classes)


def array_shapes(description: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes by name, in the order of scope.bin.

    Raises:
        BundleIncompatible: It is no list of the four arrays, each once, each with a known dtype and a shape.
    """
    arrays = description.get("arrays")
    if not isinstance(arrays, list) or len(arrays) != len(_AXES):
        raise _unexpected("arrays", arrays, f"a list of {', '.join(_AXES)}")
    shapes: dict[str, tuple[int, ...]] = {}
    for entry in arrays:
        found = entry if isinstance(entry, dict) else {}
        name, dtype, shape = found.get("name"), found.get("dtype"), found.get("shape")
        if not isinstance(name, str) or name not in _AXES or name in shapes:
            raise _unexpected("arrays: name", name, f"{', '.join(_AXES)}, each once")
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise _unexpected(f"arrays: dtype of {name}", dtype, " or ".join(DTYPES))
        if not isinstance(shape, list) or len(shape) != len(_AXES[name]):
            raise _unexpected(f"arrays: shape of {name}", shape, f"({_AXES[name]})")
        if not all(is_whole(side, 1, _MOST) for side in shape):
            raise _unexpected(f"arrays: shape of {name}", shape, "positive whole numbers")
        shapes[name] = tuple(shape)
    return shapes


def require(is_right: bool, name: str, value: object, expected: str) -> None:
    """Raise an error that names a field of the manifest, what was found and what was expected.

    Raises:
        BundleIncompatible: It is not right.
    """
    if not is_right:
        raise BundleIncompatible(
            f"manifest.json: {name} is {shown_value(value)}, expected {expected}"
        )


def is_text(value: object) -> bool:
    """Whether it is a text that can be printed, neither empty nor endless."""
    return isinstance(value, str) and value.isprintable() and 1 <= len(value) <= _LONGEST_TEXT


#: The arrays of scope.bin, and the letters of their axes: dim numbers of an embedding, k directions, c classes.
_AXES: Mapping[str, str] = {"mean": "d", "basis": "dk", "centres": "ck", "whitening": "kk"}


def _check_sizes(shapes: Mapping[str, Sequence[int]], classes: int) -> None:
    dim, rank = shapes["basis"]
    sizes = {"d": dim, "k": rank, "c": classes}
    for name, axes in _AXES.items():
        expected = tuple(sizes[axis] for axis in axes)
        found = tuple(shapes[name])
        require(found == expected, f"{_PLACE}.arrays: shape of {name}", list(found), f"{expected}")
    require(
        rank <= dim, f"{_PLACE}.arrays: shape of basis", [dim, rank], "no more columns than rows"
    )


def _unexpected(name: str, value: object, expected: str) -> BundleIncompatible:
    return BundleIncompatible(
        f"manifest.json: {_PLACE}.{name} is {shown_value(value)}, expected {expected}"
    )


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    require(isinstance(value, dict), f"{_PLACE}.{name}", value, "an object")
    return value if isinstance(value, dict) else {}
