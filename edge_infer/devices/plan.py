"""How onnxruntime is asked for a device."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_infer.errors import ProviderUnavailable

__all__ = ["CPU", "Plan", "cpu_plan", "ep_devices", "named_plan"]

CPU = "CPUExecutionProvider"

_NAMED_HINT = "choose one of these; docs/devices.md says what to install for which device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to ask onnxruntime for, and what must come of it.

    Attributes:
        required: Execution providers that must come up; onnxruntime itself would drop one without an error.
        providers: For ``InferenceSession``, by name or as (name, options); empty for a plugin, where the session's
            options name the devices.
        ep_devices: Devices of a plugin, as ``get_ep_devices`` lists them.
        ep_options: For these.
        config: Entries of the session's configuration.
        runtime_threads: Threads of onnxruntime's own pool; None for as many as were asked for. A provider that has a
            pool of its own leaves onnxruntime's idle.
        one_at_a_time: Whether the provider allows only one run of a session at a time.
        hint: What to do if it does not come up.
        reason: Why it may not have come up, as far as that can be told beforehand; may be empty.
    """

    required: tuple[str, ...]
    providers: tuple[str | tuple[str, Mapping[str, str]], ...] = ()
    ep_devices: Sequence[Any] = ()
    ep_options: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    runtime_threads: int | None = None
    one_at_a_time: bool = False
    hint: str = ""
    reason: str = ""

    @property
    def is_cpu_alone(self) -> bool:
        """Whether only onnxruntime's own CPU provider is asked for: then a failure is the model's."""
        return self.required == (CPU,)


def cpu_plan() -> Plan:
    """Ask for onnxruntime's own CPU provider."""
    return Plan(required=(CPU,), providers=(CPU,))


def named_plan(onnxruntime: Any, names: Sequence[str]) -> Plan:
    """Ask for providers by onnxruntime's own names, with its own settings.

    Raises:
        ProviderUnavailable: One is not there, or none is named.
    """
    available = list(onnxruntime.get_available_providers())
    absent = [name for name in names if name not in available]
    if absent or not names:
        raise ProviderUnavailable(
            f"execution provider {', '.join(absent) or '(none named)'} is not available; "
            f"this onnxruntime has {', '.join(available)}",
            hint=_NAMED_HINT,
        )
    return Plan(required=tuple(names), providers=tuple(names), hint=_NAMED_HINT)


def ep_devices(onnxruntime: Any, provider: str) -> Iterator[Any]:
    """Yield the devices that plugins offer for a provider; none where onnxruntime knows no plugins."""
    for device in getattr(onnxruntime, "get_ep_devices", list)():
        if device.ep_name == provider:
            yield device
