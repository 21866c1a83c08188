"""Any GPU of Windows by DirectML, where the installed onnxruntime has it. Never run by us: there was no Windows."""

from typing import Any

from edge_infer.devices.plan import CPU, Plan
from edge_infer.errors import ProviderUnavailable

__all__ = ["DIRECTML", "directml_plan"]

DIRECTML = "DmlExecutionProvider"


def directml_plan(onnxruntime: Any, ordinal: int) -> Plan:
    """Ask for DirectML.

    Raises:
        ProviderUnavailable: This onnxruntime has none.
    """
    if DIRECTML not in onnxruntime.get_available_providers():
        # onnxruntime-directml ended with 1.24.4, below the oldest version that is supported here.
        raise ProviderUnavailable(
            f"{DIRECTML} is not in this onnxruntime {onnxruntime.__version__}, which has "
            f"{', '.join(onnxruntime.get_available_providers())}",
            hint="on Windows: pip uninstall onnxruntime, then pip install onnxruntime-windowsml; elsewhere there is no "
            "DirectML: ask for the CPU",
        )
    return Plan(
        required=(DIRECTML, CPU),
        providers=((DIRECTML, {"device_id": str(ordinal)}), CPU),
        one_at_a_time=True,  # DirectML's documentation: no concurrent runs of one session
        hint="check the graphics driver, or ask for the CPU",
    )
