"""Run a program as if this processor lacked instruction sets: with the kernels of older machines, at full speed.

    python tests/processors/processors.py x64-avx2 -- .venv/bin/brain-doctor

Needs Linux on x64, a processor that can make CPUID fault (Intel since Ivy Bridge, AMD since Zen 5) and a C compiler.
Instruction sets can only be taken away: AVX_VNNI or bfloat16 cannot be added. See masked_cpuid.c.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["PROCESSORS", "Unavailable", "environment_of"]

_SOURCE = Path(__file__).with_name("masked_cpuid.c")

# Leaf 7, by register: AVX-512's parts; what came after Skylake-X; tiles and half floats; leaf 7.1: AVX_VNNI, BF16.
_AVX512 = ("7.0.b=dc230000", "7.0.c=5842", "7.0.d=3c0010c")
_AFTER_SKYLAKE_X = ("7.0.c=5842", "7.0.d=3c0010c")
_TILES_AND_FP16 = "7.0.d=3c00000"
_VNNI_AND_BF16, _BF16 = "7.1.a=30", "7.1.a=20"
_AVX2 = "7.0.b=20"
_FMA, _AVX_FMA_F16C = "1.0.c=1000", "1.0.c=30001000"

#: Masks of what is taken away, by the name of the processor that is left.
PROCESSORS: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "x64 AVX-512 VNNI (Ice Lake, Zen 4 without BF16)": (_TILES_AND_FP16, _BF16),
    "x64 AVX-512 (Skylake-X)": (*_AFTER_SKYLAKE_X, _VNNI_AND_BF16),
    "x64 AVX2 (Haswell, Zen 3)": (*_AVX512, _VNNI_AND_BF16),
    "x64 AVX (Sandy Bridge)": (*_AVX512, _VNNI_AND_BF16, _AVX2, _FMA),
    "x64 SSE4.2 (Nehalem)": (*_AVX512, _VNNI_AND_BF16, _AVX2, _AVX_FMA_F16C),
}


class Unavailable(RuntimeError):
    """This machine cannot mask its processor; the message says why."""


def environment_of(processor: str, folder: Path) -> dict[str, str]:
    """Return the environment in which a program sees that processor.

    Args:
        processor: One of ``PROCESSORS``.
        folder: Where the compiled library is kept.

    Raises:
        Unavailable: Not Linux on x64, no compiler, or CPUID cannot be made to fault here.
    """
    masks = PROCESSORS[processor]
    if not masks:
        return dict(os.environ)
    library = _compiled(folder)
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "MASKED_CPUID": " ".join(masks),
    }
    if subprocess.run(["/bin/true"], env=environment, capture_output=True, check=False).returncode:
        raise Unavailable("this kernel or processor cannot make CPUID fault")
    return environment


def _compiled(folder: Path) -> Path:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Unavailable(f"{platform.system()} {platform.machine()} is not Linux x86_64")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unavailable("there is no C compiler")
    library = folder / "masked_cpuid.so"
    if not library.exists():
        command = [compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, _SOURCE]
        subprocess.run(command, check=True)
    return library


def _named(word: str) -> str:
    """Find a processor by the beginning of its name, blanks as hyphens: ``x64-avx2``."""
    found = [name for name in PROCESSORS if name.lower().replace(" ", "-").startswith(f"{word}-(")]
    if len(found) != 1:
        raise SystemExit(f"{word}: expected one of {', '.join(PROCESSORS)}")
    return found[0]


if __name__ == "__main__":
    name, separator, *command = sys.argv[1:]
    if separator != "--" or not command:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as folder_name:
        environment = environment_of(_named(name), Path(folder_name))
        raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)
