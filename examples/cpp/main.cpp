// classify --runtime LIBRARY --model MODEL.onnx [--threads N] [--] SCAN...
// One line of JSON for each scan on stdout. Exit status: 0 all answered, 2 usage, 100 some refused, others docs/cli.md.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "failure.hpp"
#include "image.hpp"
#include "model.hpp"
#include "runtime.hpp"
#include "telemetry.hpp"

namespace {

using brain_edge::Failure;
using nlohmann::ordered_json;

constexpr int kUsage = 2;
constexpr int kSomeRefused = 100;
constexpr const char* kNotice = "Research use only. Not a medical device. Not for diagnosis.";

struct Arguments {
  std::string runtime;
  std::string model;
  int threads = 1;
  std::vector<std::string> files;
};

/// False if the command is not of its form.
bool parse(int argc, char** argv, Arguments& given) {
  bool has_ended = false;  // the options have: "--" lets a file's name begin with two hyphens
  for (int at = 1; at < argc; ++at) {
    const std::string word = argv[at];
    if (!has_ended && word == "--") {
      has_ended = true;
      continue;
    }
    if (has_ended || word.rfind("--", 0) != 0) {
      given.files.push_back(word);
      continue;
    }
    if (++at >= argc) return false;
    if (word == "--runtime") given.runtime = argv[at];
    else if (word == "--model") given.model = argv[at];
    else if (word == "--threads") given.threads = std::atoi(argv[at]);
    else return false;
  }
  return !given.runtime.empty() && !given.model.empty() && !given.files.empty() && given.threads >= 1;
}

ordered_json answer(brain_edge::Model& model, const std::string& file) {
  ordered_json line{{"file", file}};
  try {
    const std::vector<float> probabilities = model.classify(brain_edge::read_image(file));
    const auto best = std::max_element(probabilities.begin(), probabilities.end());
    line["label"] = model.labels()[static_cast<size_t>(best - probabilities.begin())];
    for (size_t i = 0; i < probabilities.size(); ++i) line["probabilities"][model.labels()[i]] = probabilities[i];
  } catch (const Failure& failure) {
    line["error"] = failure.what();
    line["code"] = failure.code;
  } catch (const std::bad_alloc&) {
    line["error"] = "there is not enough memory for the image";
    line["code"] = "over_limit";
  }
  line["research_use_only"] = model.notice();
  return line;
}

int run(const Arguments& given) {
  brain_edge::load_runtime(given.runtime);
  brain_edge::Model model(given.model, given.threads);
  bool some_refused = false;
  for (const std::string& file : given.files) {
    const ordered_json line = answer(model, file);
    some_refused = some_refused || line.contains("error");
    // ASCII only, so that no code page can spoil it; bytes of a name that are no UTF-8 are replaced.
    std::cout << line.dump(-1, ' ', true, ordered_json::error_handler_t::replace) << std::endl;
  }
  if (!std::cout) throw Failure("cannot_write", 40, "standard output cannot be written");
  return some_refused ? kSomeRefused : 0;
}

}  // namespace

int main(int argc, char** argv) {
  brain_edge::switch_telemetry_off();
  Arguments given;
  if (!parse(argc, argv, given)) {
    std::cerr << "usage: classify --runtime LIBRARY --model MODEL.onnx [--threads N] [--] SCAN...\n" << kNotice << '\n';
    return kUsage;
  }
  try {
    return run(given);
  } catch (const Failure& failure) {
    std::cerr << "classify: " << failure.what() << '\n';
    return failure.exit_status;
  } catch (const std::exception& error) {  // onnxruntime's own, before a model is open
    std::cerr << "classify: " << error.what() << '\n';
    return brain_edge::inference_failed("").exit_status;
  }
}
