"""Tensors that pretend to be on another device, to find without a GPU what would fail on one.

Each holds a CPU tensor and claims to be on the device ``meta``. What CUDA refuses is refused: operations between
devices, a CPU generator for random numbers on the GPU, and empty batches for kernels that resample.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["GPU", "on_cpu", "on_gpu", "pretend_gpu"]

GPU = torch.device("meta")

_MOVING = ("aten::_to_copy", "aten::copy_", "aten::_local_scalar_dense")
_INDEXING = ("aten::index", "aten::index_put", "aten::index_put_")  # accept indices on the CPU


class _OnGpu(Tensor):
    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "_OnGpu":
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device=GPU
        )
        made.held = held
        return made  # type: ignore[no-any-return]

    @classmethod
    def __torch_dispatch__(
        cls,
        function: Any,
        _: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return _computed(function, args, kwargs or {})


@contextmanager
def pretend_gpu() -> Iterator[None]:
    """Allow tensors to be made on ``GPU`` and moved there while the context lasts."""
    with _Literals(), _Device():
        yield


class _Literals(TorchFunctionMode):
    """``torch.tensor([...], device=...)`` is not dispatched, so it is handled here."""

    def __torch_function__(
        self,
        function: Any,
        _: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if function is torch.tensor and options.get("device") == GPU:
            return _OnGpu(function(*args, **{**options, "device": "cpu"}))
        return function(*args, **options)


class _Device(TorchDispatchMode):
    def __torch_dispatch__(
        self,
        function: Any,
        _: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return _computed(function, args, kwargs or {})


def on_gpu(tensor: Tensor) -> Tensor:
    """Move a tensor to the pretended device."""
    return _OnGpu(tensor)


def on_cpu(tensor: Tensor) -> Tensor:
    """Return the CPU tensor that a tensor of the pretended device holds."""
    assert isinstance(tensor, _OnGpu), "it stayed on the CPU"
    return tensor.held


def _computed(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    name = function._schema.name
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [tensor for tensor in given if isinstance(tensor, _OnGpu)]
    device = kwargs.get("device")
    is_there = bool(there) if device is None else torch.device(device) == GPU
    if name not in _MOVING:
        _refuse(name, there, list(_strangers(given, name)), kwargs, is_there=is_there)
    args, kwargs = tree_map(_held, (list(args), dict(kwargs)))
    if device is not None:
        kwargs = {**kwargs, "device": "cpu"}
    result = function(*args, **kwargs)
    if name.endswith("_") and not name.endswith("__"):
        return given[0]  # in place
    return tree_map(_wrapped, result) if is_there else result


def _strangers(given: list[Tensor], name: str) -> Iterator[Tensor]:
    for tensor in given[:1] if name in _INDEXING else given:
        if not isinstance(tensor, _OnGpu) and tensor.dim() > 0:
            yield tensor


def _refuse(
    name: str,
    there: list[_OnGpu],
    strangers: list[Tensor],
    kwargs: Mapping[str, Any],
    *,
    is_there: bool,
) -> None:
    if there and strangers:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device")
    if is_there and kwargs.get("generator") is not None:
        raise RuntimeError(f"{name}: expected a generator of the GPU, found one of the CPU")
    if "upsample" in name and any(tensor.numel() == 0 for tensor in there):
        raise RuntimeError(f"{name}: CUDA error: invalid argument")


def _held(value: Any) -> Any:
    return value.held if isinstance(value, _OnGpu) else value


def _wrapped(value: Any) -> Any:
    return _OnGpu(value) if isinstance(value, Tensor) else value
