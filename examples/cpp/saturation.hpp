// Whether 8-bit products come out wrong on this CPU, found by multiplying once; edge_infer/saturation.py says why.
#pragma once

#include "runtime.hpp"

namespace brain_edge {

/// Set `session.x64quantprecision` where 8-bit products saturate, as on x64 without VNNI; elsewhere it would cost time.
void avoid_saturation(Ort::Env& environment, Ort::SessionOptions& options);

}  // namespace brain_edge
