"""Telemetry.cs reaches the native library: with it onnxruntime writes nothing, without it it does.

Run by Mono, whose Environment.SetEnvironmentVariable does reach native code; .NET's does not.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "csharp"
PROGRAM = """
using System;
using System.Runtime.InteropServices;

public static class Program
{
    [DllImport("onnxruntime")] private static extern IntPtr OrtGetApiBase();
    private delegate IntPtr GetApi(uint version);
    private delegate IntPtr CreateEnv(int level, string name, out IntPtr environment);

    private static T At<T>(IntPtr table, int place) =>
        Marshal.GetDelegateForFunctionPointer<T>(Marshal.ReadIntPtr(table, place * IntPtr.Size));

    public static int Main(string[] words)
    {
        if (words[0] == "told") Telemetry.SwitchOff();
        IntPtr api = At<GetApi>(OrtGetApiBase(), 0)(21);
        IntPtr environment;
        return At<CreateEnv>(api, 3)(4, "control", out environment) == IntPtr.Zero ? 0 : 1;
    }
}
"""


@pytest.fixture
def program(library: Path, tmp_path: Path) -> Path:
    """A program that opens onnxruntime, beside the library."""
    absent = [name for name in ("mcs", "mono") if shutil.which(name) is None]
    if absent:
        pytest.skip(f"no {' and '.join(absent)} on the PATH: apt-get install mono-mcs mono-runtime")
    (tmp_path / "Program.cs").write_text(PROGRAM)
    (tmp_path / "libonnxruntime.so").symlink_to(library)
    sources = [EXAMPLE / "Telemetry.cs", tmp_path / "Program.cs"]
    subprocess.run(
        ["mcs", "-warnaserror", f"-out:{tmp_path / 'program.exe'}", *sources], check=True
    )
    return tmp_path / "program.exe"


def test_the_switch_reaches_native_code(program: Path, tmp_path: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--net"]  # untold, it may try to report
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("network namespaces are not allowed here")
    found = {}
    for word in ("told", "untold"):
        home = tmp_path / word
        home.mkdir()
        environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": str(tmp_path),
        }
        subprocess.run([*alone, "mono", program, word], check=True, env=environment, timeout=60)
        # Mono writes a folder of its own, .config or .mono.
        found[word] = [path for path in home.rglob("*") if "onnxruntime" in path.name]
    assert found["told"] == []
    if not found["untold"]:
        pytest.skip("this build of onnxruntime has no telemetry")
