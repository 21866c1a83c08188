"""The processors an INT8 graph is made for.

x64 processors without VNNI add the products of unsigned activations and signed weights in pairs, in 16 bits, and two
products of 255 * 127 do not fit there. Intel made such processors until 2020 and AMD until 2022 (Zen 3), so many
workstations have one. onnxruntime can avoid the overflow with slower kernels (``session.x64quantprecision``, which the
runtime sets where it is needed); weights of 7 bits avoid it at full speed. See reduce_range in "Quantize ONNX models",
onnxruntime's documentation.
"""

from dataclasses import dataclass

__all__ = ["PROCESSORS", "ProcessorFamily"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorFamily:
    """A family of processors.

    Attributes:
        name: As ``brain-export --target`` takes it.
        weight_limit: Largest absolute weight in 8 bits.
        meaning: For the help text of ``--target``.
    """

    name: str
    weight_limit: int
    meaning: str


#: By name.
PROCESSORS = {
    family.name: family
    for family in (
        ProcessorFamily(
            name="x64-vnni",
            weight_limit=127,
            meaning="Intel and AMD with VNNI (right but slower on those without)",
        ),
        ProcessorFamily(
            name="x64-avx2",
            weight_limit=63,
            meaning="Intel and AMD without VNNI, see brain-doctor (weights of 7 bits, which cannot overflow)",
        ),
        ProcessorFamily(
            name="arm64",
            weight_limit=127,
            meaning="ARM, whose 8-bit products do not overflow (not measured by us)",
        ),
        ProcessorFamily(
            name="portable",
            weight_limit=63,
            meaning="any processor and runtime (weights of 7 bits, only ONNX's own operators)",
        ),
    )
}
