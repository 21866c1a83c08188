// A one-file model: an image of any size in, probabilities out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "image.hpp"
#include "runtime.hpp"

namespace brain_edge {

/// Opened once, used for many images; any number of threads may call classify at once.
class Model {
 public:
  /// @param path What `brain-export --end-to-end` wrote.
  /// @param threads Threads within one operator.
  /// @throws Failure unreadable, bundle_incompatible.
  Model(const std::filesystem::path& path, int threads);

  /// In the order of the probabilities, as the file states them (metadata_props, brain_edge.contract).
  const std::vector<std::string>& labels() const { return labels_; }

  /// What has to be said wherever an answer is shown; from the file, too.
  const std::string& notice() const { return notice_; }

  /// @return One probability for each label: finite, 0..1, adding up to 1.
  /// @throws Failure inference_failed, non_finite.
  std::vector<float> classify(const Image& image);

 private:
  void read_contract();

  Ort::Env environment_;
  Ort::Session session_{nullptr};
  std::vector<std::string> labels_;
  std::string notice_;
};

}  // namespace brain_edge
