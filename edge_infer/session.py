"""Sessions of onnxruntime: honest about providers, quiet, safe to fork around."""

import contextlib
import ctypes
import importlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import INPUT_NAME, LARGEST_INT8, OUTPUT_NAMES
from edge_infer.deadline import LOAD_SECONDS, within
from edge_infer.devices.choice import plan_for
from edge_infer.devices.names import Device
from edge_infer.devices.plan import Plan
from edge_infer.errors import (
    BrainError,
    BundleIncompatible,
    InferenceFailed,
    ProviderUnavailable,
    TimedOut,
)
from edge_infer.machine import usable_cores
from edge_infer.runtime import import_onnxruntime
from edge_infer.saturation import avoid_saturation

__all__ = ["Device", "Session", "open_session"]

# Failures are raised. At a lower level onnxruntime would print them too, with the names of nodes.
_LOG_NOTHING = 4
_LOG_WARNINGS = 2  # onnxruntime's own setting

_live_sessions: "weakref.WeakSet[Session]" = weakref.WeakSet()


class Session:
    """An open onnxruntime session; any number of threads may call ``run`` at once.

    Attributes:
        provider: The execution provider that really runs the graph.
        num_threads: Threads within one operator.
        pid: The process it was opened in; it works in no other process.
    """

    def __init__(
        self, inference_session: Any, *, num_threads: int, one_at_a_time: bool = False
    ) -> None:
        self._inference_session = inference_session
        self._turn = threading.Lock() if one_at_a_time else contextlib.nullcontext()
        self.provider: str = inference_session.get_providers()[0]
        self.num_threads = num_threads
        self.pid = os.getpid()
        _live_sessions.add(self)

    def run(
        self, pixel_values: NDArray[np.float32], *, timeout_s: float | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        """Run the graph.

        Args:
            pixel_values: float32, (N, 3, H, W).
            timeout_s: Longest time to wait. The graph stops after the operator that is running then; an operator
                that does not end soon is left running on its thread. To OpenVINO the whole graph is one operator.

        Returns:
            logits (N, classes), embeddings (N, dim) and evidence (N, classes, h, w), float32.

        Raises:
            InferenceFailed: The runtime refused the input or failed.
            TimedOut: It took longer than ``timeout_s``.
        """
        # A session is open, so the installation has been checked; import_onnxruntime would check it for each image.
        run_options = importlib.import_module("onnxruntime").RunOptions()
        run_options.log_severity_level = _LOG_NOTHING
        feeds = {INPUT_NAME: pixel_values}

        def work() -> Sequence[Any]:
            with self._turn:
                answer: Sequence[Any] = self._inference_session.run(
                    list(OUTPUT_NAMES), feeds, run_options
                )
            return answer

        try:
            outputs = work() if timeout_s is None else _in_time(work, run_options, timeout_s)
        except TimedOut:
            raise
        except Exception as error:  # onnxruntime's own classes, ValueError, RuntimeError ...
            raise InferenceFailed(f"onnxruntime failed: {_first_line(error)}") from error
        return tuple(np.asarray(output, dtype=np.float32) for output in outputs)

    def end_profiling(self) -> Path:
        """Write the profile of all runs so far, and return its file (JSON).

        The session must have been opened with a ``profile_prefix``.
        """
        return Path(self._inference_session.end_profiling())


def open_session(
    model: Path | bytes,
    *,
    device: Device = "cpu",
    providers: Sequence[str] | None = None,
    num_threads: int | None = None,
    largest_weight: int = LARGEST_INT8,
    profile_prefix: Path | None = None,
) -> Session:
    """Open a session on exactly the provider that was asked for.

    A bundle is opened with ``edge_infer.bundle_session.open_bundle_session``, which passes on what it knows.

    Args:
        model: What ``ModelFile.open`` gives, or the bytes of a model.onnx. With bytes, onnxruntime needs twice
            the memory while it opens.
        device: ``cpu``, ``cuda``, ``openvino`` ... (``edge_infer.devices.names``), but not ``auto``, which is chosen
            with a bundle (``edge_infer.device_choice``).
        providers: onnxruntime's own names instead of a device; all of them must come up.
        num_threads: Threads within one operator; by default the cores this process may use.
        largest_weight: Largest absolute 8-bit weight of the model, 0 without any. Small weights need no guard
            against saturation (``edge_infer.saturation``).
        profile_prefix: Folder and beginning of the name of the file that onnxruntime writes its profile to, node
            by node; None for no profile. See ``Session.end_profiling``.

    Raises:
        ProviderUnavailable: The provider is not there or does not come up.
        BundleIncompatible: This onnxruntime cannot load the model.
        MissingDependency: No onnxruntime is installed.
        InferenceFailed: The installed onnxruntime does not load, or there are two of them.
        TimedOut: It takes longer than two minutes.
        ValueError: An unknown device or a thread count below 1.
    """
    threads = usable_cores() if num_threads is None else num_threads
    if threads < 1:
        raise ValueError(f"num_threads is {threads}, expected 1 or more")
    onnxruntime = import_onnxruntime()
    plan = plan_for(onnxruntime, device, providers, threads=threads)
    options = _session_options(onnxruntime, plan, threads, largest_weight, profile_prefix)
    opened = _open(onnxruntime, model, plan, options)
    return Session(opened, num_threads=threads, one_at_a_time=plan.one_at_a_time)


def _session_options(
    onnxruntime: Any, plan: Plan, threads: int, largest_weight: int, profile_prefix: Path | None
) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_NOTHING
    options.intra_op_num_threads = threads if plan.runtime_threads is None else plan.runtime_threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # With this on, onnxruntime reserves one block for all values of a run, beside the memory of the first run, which it
    # never gives back: 22 MB for CvT-13 at 224 px, and no time is gained (measured).
    options.enable_mem_pattern = False
    # Planning which values can share a place takes a sixth of the start of CvT-13 at 224 px (0.2 of 1.3 s, medians of 8
    # in turn). It saves no memory and no time, because the arena reuses the memory of each value after its last use.
    options.enable_mem_reuse = False
    options.add_session_config_entry("session.load_model_format", "ONNX")
    avoid_saturation(options, largest_weight=largest_weight)
    for key, value in plan.config.items():
        options.add_session_config_entry(key, value)
    if plan.ep_devices:
        options.add_provider_for_devices(list(plan.ep_devices), dict(plan.ep_options))
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_prefix)
    return options


def _open(onnxruntime: Any, model: Path | bytes, plan: Plan, options: Any) -> Any:
    try:
        with _quietly(onnxruntime, plan):
            opened = within(
                LOAD_SECONDS,
                lambda: onnxruntime.InferenceSession(
                    _readable(model),
                    options,
                    providers=list(plan.providers) or None,
                    enable_fallback=0,  # it would turn to the CPU by itself and say so on stdout
                    read_config_from_model=0,  # a model must not change the options above
                ),
                what="opening model.onnx",
                stop=lambda: options.set_load_cancellation_flag(True),
            )
    except BrainError:
        raise
    except Exception as error:  # Fail, InvalidGraph, NotImplemented, UnicodeDecodeError, ...
        reason = _first_line(error) if plan.is_cpu_alone else _last_line(error)
        if isinstance(model, Path):
            reason = reason.replace(str(model), "model.onnx")  # folders may be named after patients
        if not plan.is_cpu_alone:
            raise _did_not_come_up(plan, plan.required, reason) from error
        raise BundleIncompatible(
            f"onnxruntime {onnxruntime.__version__} cannot load model.onnx: {reason}",
            hint="install a newer onnxruntime, or export the bundle again",
        ) from error
    lost = [name for name in plan.required if name not in opened.get_providers()]
    if lost:  # where a provider's libraries are missing, onnxruntime drops it without an error
        raise _did_not_come_up(plan, lost, plan.reason)
    return opened


@contextlib.contextmanager
def _quietly(onnxruntime: Any, plan: Plan) -> Iterator[None]:
    """Keep onnxruntime's log still while a provider may fail: it names folders, and the failure is raised.

    The setting is the process's, and onnxruntime does not tell what it was.
    """
    if plan.is_cpu_alone:
        yield
        return
    onnxruntime.set_default_logger_severity(_LOG_NOTHING)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(_LOG_WARNINGS)


def _readable(model: Path | bytes) -> str | bytes:
    """Return what onnxruntime can open: a path in UTF-8, or the bytes where a path has another encoding."""
    if isinstance(model, bytes):
        return model
    try:
        str(model).encode()
    except UnicodeEncodeError:
        return model.read_bytes()
    return str(model)


def _did_not_come_up(plan: Plan, providers: Sequence[str], reason: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{', '.join(providers)} did not come up on this machine{f' ({reason})' if reason else ''}",
        hint=plan.hint,
    )


def _in_time(
    work: Callable[[], Sequence[Any]], run_options: Any, timeout_s: float
) -> Sequence[Any]:
    """Run with options of its own, so that stopping this run does not stop those of other threads."""
    try:
        return within(
            timeout_s,
            work,
            what="one run of the graph",
            stop=lambda: setattr(run_options, "terminate", True),
        )
    except TimedOut as error:
        raise TimedOut(
            f"no answer within {timeout_s:g} s",
            hint="allow more time, or end what else runs on this machine",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _last_line(error: Exception) -> str:
    """Return the innermost of nested reasons: OpenVINO's begin with where they were thrown."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and "Exception from" not in line]
    return (told or [_first_line(error)])[-1][:300]


def _abandon_sessions() -> None:
    """Keep the parent's sessions alive in a forked child until it ends.

    Their threads exist only in the parent. Destroying such a session crashes the child, even at its normal end
    (microsoft/onnxruntime#31961). One extra reference to each session prevents that.
    """
    for session in list(_live_sessions):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_sessions)
