"""An onnxruntime that claims providers and devices it does not have, and answers by its own CPU provider."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from edge_infer.saturation import products_saturate

__all__ = ["PretendRuntime", "ep_device", "pretend"]

CPU = "CPUExecutionProvider"


def ep_device(provider: str, **metadata: str) -> Any:
    """A device as get_ep_devices lists it."""
    return SimpleNamespace(ep_name=provider, ep_metadata=metadata)


class PretendRuntime:
    """What was asked of it.

    Attributes:
        providers: Of each session: names, or names with options.
        plugin_devices: Of each session: those added by add_provider_for_devices, with options.
        config: Entries of the configuration of all sessions.
        registered: Libraries, by name.
        severities: Of the log of the process, one after the other.
        said: Printed by preload_dlls, on stdout.
        preloaded: The arguments of preload_dlls.
        changed: Changes outputs of sessions that are not on the CPU.
    """

    def __init__(self) -> None:
        self.providers: list[Any] = []
        self.plugin_devices: list[tuple[Any, Mapping[str, str]]] = []
        self.config: dict[str, str] = {}
        self.threads: list[int] = []
        self.registered: dict[str, str] = {}
        self.severities: list[int] = []
        self.said = ""
        self.preloaded: list[Mapping[str, Any]] = []
        self.changed: Callable[[Any], Any] = lambda outputs: outputs
        self.comes_up = True
        self.devices: list[Any] = []


class _Options:
    """Real options, with a note of the plugin's devices."""

    def __init__(self, runtime: PretendRuntime, real: Any) -> None:
        object.__setattr__(self, "_runtime", runtime)
        object.__setattr__(self, "real", real)
        object.__setattr__(self, "wanted", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.real, name, value)

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._runtime.config[key] = value
        if key != "session.disable_cpu_ep_fallback":  # the CPU answers here
            self.real.add_session_config_entry(key, value)

    def add_provider_for_devices(self, devices: Sequence[Any], options: Mapping[str, str]) -> None:
        self._runtime.plugin_devices.append((devices, options))
        object.__setattr__(self, "wanted", devices[0].ep_name)


class _Session:
    def __init__(self, runtime: PretendRuntime, real: Any, names: list[str]) -> None:
        self._runtime, self._real, self._names = runtime, real, names

    def get_providers(self) -> list[str]:
        return self._names

    def run(self, names: Any, feeds: Any, run_options: Any = None) -> Any:
        outputs = self._real.run(names, feeds, run_options)
        return outputs if self._names[0] == CPU else self._runtime.changed(outputs)


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    *,
    available: Sequence[str] = (CPU,),
    devices: Sequence[Any] = (),
    on_register: Sequence[Any] = (),
) -> PretendRuntime:
    """Replace parts of onnxruntime while a test runs.

    Args:
        monkeypatch: Of the test.
        available: Providers it claims to be built with.
        devices: What plugins offer from the start.
        on_register: What they offer in addition after a library was registered.
    """
    products_saturate()  # opens a session at its first call, which would count
    runtime = PretendRuntime()
    runtime.devices = list(devices)
    real_options, real_session = onnxruntime.SessionOptions, onnxruntime.InferenceSession

    def session(model: Any, options: Any, *, providers: Any, **_more: Any) -> Any:
        runtime.providers.append(providers)
        runtime.threads.append(options.intra_op_num_threads)
        asked = [p if isinstance(p, str) else p[0] for p in providers or []]
        names = ([options.wanted] if options.wanted else asked) if runtime.comes_up else []
        names += [CPU] if CPU not in names else []
        real = real_session(model, options.real, providers=[CPU])
        return _Session(runtime, real, names)

    def preload(**arguments: Any) -> None:
        runtime.preloaded.append(arguments)
        sys.stdout.write(runtime.said)  # as it does

    def register(name: str, path: str) -> None:
        runtime.registered[name] = path
        runtime.devices += on_register

    replaced = {
        "SessionOptions": lambda: _Options(runtime, real_options()),
        "InferenceSession": session,
        "get_available_providers": lambda: list(available),
        "get_ep_devices": lambda: list(runtime.devices),
        "register_execution_provider_library": register,
        "preload_dlls": preload,
        "set_default_logger_severity": runtime.severities.append,
    }
    for name, value in replaced.items():
        monkeypatch.setattr(onnxruntime, name, value)
    return runtime
