// onnxruntime must be told before it is loaded: its library may otherwise report home, and writes files of its own.
#pragma once

#include <cstdlib>

namespace brain_edge {

/// Call it first in main, before any other thread: setenv is not safe beside threads that read the environment.
/// Windows builds report by its event tracing, which heeds DisableTelemetryEvents alone: model.cpp calls that, too.
inline void switch_telemetry_off() {
#ifdef _WIN32
  _putenv_s("ORT_DISABLE_TELEMETRY", "1");  // of the process as well, so a library that is loaded later sees it
#else
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
#endif
}

}  // namespace brain_edge
