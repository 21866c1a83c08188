// onnxruntime's library, opened by its path while the program runs.
#pragma once

#include <filesystem>

// The wrapper's functions come from the library that load_runtime opens, not from one linked at build time.
#define ORT_API_MANUAL_INIT
#if __has_include(<onnxruntime/onnxruntime_cxx_api.h>)
#include <onnxruntime/onnxruntime_cxx_api.h>
#else
#include <onnxruntime_cxx_api.h>
#endif
#undef ORT_API_MANUAL_INIT

namespace brain_edge {

/// Open the library and hand its functions to Ort::. It stays loaded until the process ends.
///
/// A linked program starts only with the very release it was linked with (`version VERS_1.32.0 not found`). Opened like
/// this, one binary runs with any onnxruntime from 1.21 on.
///
/// @param library Such as libonnxruntime.so.1.32.0 of Python's package, or onnxruntime.dll. It is opened by its full
///     path: Windows has an older onnxruntime.dll of its own, which a search would find.
/// @throws Failure missing_dependency: it is not there, is no onnxruntime, or is too old.
void load_runtime(const std::filesystem::path& library);

}  // namespace brain_edge
