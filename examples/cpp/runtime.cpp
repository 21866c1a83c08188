#include "runtime.hpp"

#include <string>

#include "failure.hpp"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace brain_edge {
namespace {

/// Version of the table of functions: that of onnxruntime 1.21. Later releases still give it.
constexpr uint32_t kApiVersion = 21;

using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();

#ifdef _WIN32
GetApiBase find_entry(const std::filesystem::path& library) {
  // The flags need a full path; what the library itself needs is looked for beside it and in System32.
  HMODULE module = LoadLibraryExW(library.c_str(), nullptr,
                                  LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (module == nullptr) {
    throw missing_dependency("cannot load " + library.u8string() + " (Windows error " + std::to_string(GetLastError()) +
                             "); onnxruntime needs a current Visual C++ runtime");
  }
  return reinterpret_cast<GetApiBase>(GetProcAddress(module, "OrtGetApiBase"));
}
#else
GetApiBase find_entry(const std::filesystem::path& library) {
  void* module = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) throw missing_dependency("cannot load the runtime: " + std::string(dlerror()));
  return reinterpret_cast<GetApiBase>(dlsym(module, "OrtGetApiBase"));
}
#endif

}  // namespace

void load_runtime(const std::filesystem::path& library) {
  const std::filesystem::path full = std::filesystem::absolute(library);
  const GetApiBase entry = find_entry(full);
  if (entry == nullptr) throw missing_dependency(full.u8string() + " is no onnxruntime: it lacks OrtGetApiBase");
  const OrtApiBase* base = entry();
  const OrtApi* api = base->GetApi(kApiVersion);
  if (api == nullptr) {
    throw missing_dependency("onnxruntime is " + std::string(base->GetVersionString()) + ", expected 1.21 or newer");
  }
  Ort::InitApi(api);
}

}  // namespace brain_edge
