// onnxruntime's library may report home, and writes files of its own, unless it is told before it is loaded.
using System;
using System.ComponentModel;
using System.Runtime.InteropServices;

/// <summary>Switches off the telemetry of onnxruntime's native library in this process.</summary>
/// <remarks>
/// Environment.SetEnvironmentVariable is not enough: .NET on Unix keeps a copy of the environment, and what managed code
/// changes in it is not seen by native libraries (its documentation of Environment.GetEnvironmentVariable says so). This
/// asks the C library. Windows builds report by its event tracing instead: there, also call
/// OrtEnv.Instance().DisableTelemetryEvents() before a session is opened.
/// </remarks>
public static class Telemetry
{
    private const string Name = "ORT_DISABLE_TELEMETRY";

    [DllImport("libc", EntryPoint = "setenv", SetLastError = true)]
    private static extern int SetOnUnix(string name, string value, int overwrite);

    [DllImport("ucrtbase", EntryPoint = "_putenv_s", CallingConvention = CallingConvention.Cdecl)]
    private static extern int SetOnWindows(string name, string value);

    /// <summary>Call it first in Main, before other threads and before any type of onnxruntime is touched.</summary>
    /// <exception cref="Win32Exception">The C library refused; then do not load onnxruntime.</exception>
    public static void SwitchOff()
    {
        bool isWindows = Environment.OSVersion.Platform == PlatformID.Win32NT;
        int status = isWindows ? SetOnWindows(Name, "1") : SetOnUnix(Name, "1", 1);
        if (status != 0)
        {
            throw new Win32Exception(isWindows ? status : Marshal.GetLastWin32Error());
        }
    }
}
