#include "saturation.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace brain_edge {
namespace {

// MatMulInteger of a, uint8 (4, 8), and b, int8 (8, 16): the graph edge_infer/saturation.py asks, byte for byte.
constexpr std::array<unsigned char, 102> kProbe = {
    0x08, 0x0a, 0x3a, 0x5c, 0x0a, 0x18, 0x0a, 0x01, 0x61, 0x0a, 0x01, 0x62, 0x12, 0x01, 0x79, 0x22, 0x0d,
    0x4d, 0x61, 0x74, 0x4d, 0x75, 0x6c, 0x49, 0x6e, 0x74, 0x65, 0x67, 0x65, 0x72, 0x12, 0x01, 0x67, 0x5a,
    0x13, 0x0a, 0x01, 0x61, 0x12, 0x0e, 0x0a, 0x0c, 0x08, 0x02, 0x12, 0x08, 0x0a, 0x02, 0x08, 0x04, 0x0a,
    0x02, 0x08, 0x08, 0x5a, 0x13, 0x0a, 0x01, 0x62, 0x12, 0x0e, 0x0a, 0x0c, 0x08, 0x03, 0x12, 0x08, 0x0a,
    0x02, 0x08, 0x08, 0x0a, 0x02, 0x08, 0x10, 0x62, 0x13, 0x0a, 0x01, 0x79, 0x12, 0x0e, 0x0a, 0x0c, 0x08,
    0x06, 0x12, 0x08, 0x0a, 0x02, 0x08, 0x04, 0x0a, 0x02, 0x08, 0x10, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x0a};

bool products_saturate(Ort::Env& environment) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1).SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  Ort::Session session(environment, kProbe.data(), kProbe.size(), options);
  std::vector<uint8_t> a(4 * 8, 255);
  std::vector<int8_t> b(8 * 16, 127);
  const std::array<int64_t, 2> a_shape{4, 8};
  const std::array<int64_t, 2> b_shape{8, 16};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<Ort::Value, 2> inputs{
      Ort::Value::CreateTensor<uint8_t>(memory, a.data(), a.size(), a_shape.data(), a_shape.size()),
      Ort::Value::CreateTensor<int8_t>(memory, b.data(), b.size(), b_shape.data(), b_shape.size())};
  const std::array<const char*, 2> input_names{"a", "b"};
  const std::array<const char*, 1> output_names{"y"};
  const auto outputs = session.Run(Ort::RunOptions{}, input_names.data(), inputs.data(), inputs.size(),
                                   output_names.data(), output_names.size());
  const int32_t* sums = outputs.front().GetTensorData<int32_t>();
  return std::any_of(sums, sums + 4 * 16, [](int32_t sum) { return sum != 8 * 255 * 127; });
}

}  // namespace

void avoid_saturation(Ort::Env& environment, Ort::SessionOptions& options) {
  if (products_saturate(environment)) options.AddConfigEntry("session.x64quantprecision", "1");
}

}  // namespace brain_edge
