// Binary PGM (P5) and PPM (P6), 8 bits: what a program can hand over without any decoder. netpbm's pgm(5) and ppm(5).
#include <cctype>
#include <string>

#include "failure.hpp"
#include "image.hpp"

namespace brain_edge {
namespace {

/// The next number of the header; comments run from # to the end of the line.
uint64_t number(const Bytes& file, size_t& at) {
  while (at < file.size() && (std::isspace(file[at]) || file[at] == '#')) {
    if (file[at] == '#') {
      while (at < file.size() && file[at] != '\n') ++at;
    } else {
      ++at;
    }
  }
  const size_t start = at;
  uint64_t value = 0;
  while (at < file.size() && std::isdigit(file[at]) && value < 1'000'000) value = value * 10 + (file[at++] - '0');
  if (at == start || value >= 1'000'000) throw corrupt("header of PGM or PPM is damaged");
  return value;
}

}  // namespace

Image decode_pnm(const Bytes& file) {
  Image image;
  image.channels = file[1] == '5' ? 1 : 3;
  size_t at = 2;
  const uint64_t width = number(file, at);
  const uint64_t height = number(file, at);
  const uint64_t largest = number(file, at);
  if (at >= file.size() || !std::isspace(file[at])) throw corrupt("header of PGM or PPM is damaged");
  ++at;  // a single white space, then the pixels
  if (largest != 255) {
    throw unsupported("largest value is " + std::to_string(largest) + ", expected 255; scale deeper pixels first");
  }
  check_size(width, height);
  image.width = static_cast<int64_t>(width);
  image.height = static_cast<int64_t>(height);
  const size_t expected = width * height * static_cast<uint64_t>(image.channels);
  if (file.size() - at != expected) {  // of several images in one file we cannot know which one is meant
    throw corrupt("file holds " + std::to_string(file.size() - at) + " bytes of pixels, expected " +
                  std::to_string(expected));
  }
  image.pixels.assign(file.begin() + static_cast<std::ptrdiff_t>(at), file.end());
  return image;
}

}  // namespace brain_edge
