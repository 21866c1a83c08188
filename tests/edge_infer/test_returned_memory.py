"""A program that runs for long gives the memory of large inputs back."""

import subprocess
import sys
from pathlib import Path

import pytest

# A block of 24 MiB is freed; the C library then takes smaller ones from its heap, and something small lies behind them.
_PROGRAM = """
import ctypes, sys
from pathlib import Path
from edge_infer.returned_memory import return_freed_memory

c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def taken(size):
    block = c.malloc(size)
    ctypes.memset(block, 1, size)
    return block

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "yes":
    return_freed_memory()
c.free(taken(24 * 2**20))
before = resident()
large = [taken(8 * 2**20) for _ in range(8)]
behind = taken(100_000)
for block in large:
    c.free(block)
print(resident() - before)
"""


def _kept(asked: str, environment: dict[str, str] | None = None) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, asked],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), **(environment or {})},
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of the GNU C library")
def test_freed_memory_goes_back_to_the_system() -> None:
    if _kept("no") < 32 * 2**20:
        pytest.skip("this C library gives freed memory back anyway")
    assert _kept("yes") < 4 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of the GNU C library")
def test_a_setting_of_the_users_own_is_left_alone() -> None:
    own = {"MALLOC_MMAP_THRESHOLD_": str(64 * 2**20)}
    assert (_kept("yes", own) < 4 * 2**20) == (_kept("no", own) < 4 * 2**20)
