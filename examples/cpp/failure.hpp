// What goes wrong, with the codes and exit statuses of brain-infer (docs/cli.md).
#pragma once

#include <stdexcept>
#include <string>

namespace brain_edge {

/// An error a user can act on. `code` is stable, for machines; `exit_status` that of the whole program.
struct Failure : std::runtime_error {
  Failure(const char* code_, int exit_status_, const std::string& message)
      : std::runtime_error(message), code(code_), exit_status(exit_status_) {}
  const char* code;
  int exit_status;
};

inline Failure unreadable(const std::string& message) { return {"unreadable", 20, message}; }
inline Failure corrupt(const std::string& message) { return {"corrupt", 22, message}; }
inline Failure unsupported(const std::string& message) { return {"unsupported", 23, message}; }
inline Failure over_limit(const std::string& message) { return {"over_limit", 24, message}; }
inline Failure incompatible(const std::string& message) { return {"bundle_incompatible", 32, message}; }
inline Failure inference_failed(const std::string& message) { return {"inference_failed", 80, message}; }
inline Failure non_finite(const std::string& message) { return {"non_finite", 83, message}; }
inline Failure missing_dependency(const std::string& message) { return {"missing_dependency", 87, message}; }

}  // namespace brain_edge
