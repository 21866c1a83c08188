"""The processors an INT8 graph is written for.

An unsigned activation times a signed weight is summed in pairs in 16 bits on x64 processors without VNNI, and two
products of 255 * 127 do not fit. Those were made until 2020 by Intel and until 2022 by AMD (Zen 3), so many
workstations are among them. onnxruntime can avoid it with slower kernels
(``session.x64quantprecision``, which the runtime sets); weights of 7 bits avoid it at full speed. See "Quantize ONNX
models" in onnxruntime's documentation, on reduce_range.
"""

from dataclasses import dataclass

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A family of processors.

    Attributes:
        name: As on the command line.
        weight_limit: Largest absolute weight in 8 bits.
        meaning: For the help text and the manifest.
    """

    name: str
    weight_limit: int
    meaning: str


TARGETS = {
    target.name: target
    for target in (
        Target(
            name="x64-vnni",
            weight_limit=127,
            meaning="Intel and AMD with VNNI; right but slower on those without",
        ),
        Target(
            name="x64-avx2",
            weight_limit=63,
            meaning="Intel and AMD without VNNI: weights of 7 bits, so that 16-bit sums cannot overflow",
        ),
        Target(
            name="arm64",
            weight_limit=127,
            meaning="ARM processors, whose 8-bit products do not overflow; not measured by us",
        ),
        Target(
            name="portable",
            weight_limit=63,
            meaning="any runtime: weights of 7 bits, ONNX's own operators only",
        ),
    )
}
