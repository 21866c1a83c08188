#include "model.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>

#include "failure.hpp"
#include "saturation.hpp"

namespace brain_edge {
namespace {

constexpr const char* kContract = "brain_edge.contract";
constexpr const char* kImage = "image";
constexpr const char* kProbabilities = "probabilities";
constexpr float kSumTolerance = 1e-4F;  // of a softmax over up to 100 classes in float32

void check_file(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  if (kind == std::filesystem::file_type::regular) return;
  const std::string name = path.u8string();
  if (kind == std::filesystem::file_type::not_found) throw unreadable(name + ": no such file");
  if (kind == std::filesystem::file_type::directory) throw unreadable(name + ": is a folder, expected a one-file model");
  if (kind == std::filesystem::file_type::none) throw unreadable(name + ": cannot be read");
  throw unreadable(name + ": is not a regular file");
}

}  // namespace

Model::Model(const std::filesystem::path& path, int threads) : environment_(ORT_LOGGING_LEVEL_FATAL, "brain-edge") {
  environment_.DisableTelemetryEvents();
  check_file(path);
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads)
      .SetInterOpNumThreads(1)
      .SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL)  // failures are thrown; messages would name nodes on stderr
      .DisableMemPattern()                           // images differ in size, and a plan is for one size
      .AddConfigEntry("session.load_model_format", "ONNX");
  avoid_saturation(environment_, options);
  try {
    session_ = Ort::Session(environment_, path.c_str(), options);
  } catch (const Ort::Exception& error) {
    throw incompatible(path.u8string() + ": onnxruntime cannot open it: " + error.what());
  }
  read_contract();
}

void Model::read_contract() {
  Ort::AllocatorWithDefaultOptions allocator;
  const auto stored = session_.GetModelMetadata().LookupCustomMetadataMapAllocated(kContract, allocator);
  const char* hint = "; expected a file that brain-export --end-to-end wrote";
  if (!stored) throw incompatible(std::string("the model has no ") + kContract + hint);
  try {
    const auto contract = nlohmann::json::parse(stored.get());
    if (contract.at("form") != "end-to-end") throw incompatible(std::string("the model is of another form") + hint);
    labels_ = contract.at("labels").get<std::vector<std::string>>();
    notice_ = contract.at("research_use_only").get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    throw incompatible(std::string("the model's ") + kContract + " cannot be read" + hint + " (" + error.what() + ")");
  }
  const auto shape = session_.GetOutputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
  if (labels_.size() < 2 || shape != std::vector<int64_t>{static_cast<int64_t>(labels_.size())}) {
    throw incompatible("the model names " + std::to_string(labels_.size()) + " labels, which its output does not fit");
  }
}

std::vector<float> Model::classify(const Image& image) {
  const std::array<int64_t, 3> shape{image.height, image.width, image.channels};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  // The tensor borrows the pixels, and onnxruntime only reads them; its C API just has no const.
  auto* pixels = const_cast<uint8_t*>(image.pixels.data());
  const auto input =
      Ort::Value::CreateTensor<uint8_t>(memory, pixels, image.pixels.size(), shape.data(), shape.size());
  std::vector<float> answer;
  try {
    Ort::RunOptions options;
    options.SetRunLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    const auto outputs = session_.Run(options, &kImage, &input, 1, &kProbabilities, 1);
    const float* values = outputs.front().GetTensorData<float>();
    answer.assign(values, values + outputs.front().GetTensorTypeAndShapeInfo().GetElementCount());
  } catch (const Ort::Exception& error) {
    throw inference_failed(std::string("onnxruntime failed: ") + error.what());
  }
  bool is_sound = answer.size() == labels_.size();
  for (const float value : answer) is_sound = is_sound && value >= 0.0F && value <= 1.0F;  // false of NaN
  if (!is_sound || std::abs(std::accumulate(answer.begin(), answer.end(), 0.0F) - 1.0F) > kSumTolerance) {
    throw non_finite("the model gave no usable probabilities");
  }
  return answer;
}

}  // namespace brain_edge
