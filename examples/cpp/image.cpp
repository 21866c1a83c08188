#include "image.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include "failure.hpp"

namespace brain_edge {
namespace {

// edge_infer/image_limits.py
constexpr uint64_t kMinSide = 16;
constexpr uint64_t kMaxSide = 8192;
constexpr uint64_t kMaxPixels = 40'000'000;
constexpr uint64_t kMaxFileBytes = 64 << 20;

Bytes read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) throw unreadable("cannot be read (no such file)");
  if (!std::filesystem::is_regular_file(path, error)) throw unreadable("is not a regular file");
  if (std::filesystem::file_size(path, error) > kMaxFileBytes && !error) throw over_limit("file is larger than 64 MiB");
  std::ifstream file(path, std::ios::binary);
  Bytes content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) throw unreadable("cannot be read");
  if (content.empty()) throw corrupt("file is empty (0 bytes)");
  return content;
}

bool begins_with(const Bytes& content, std::initializer_list<uint8_t> signature) {
  return content.size() >= signature.size() && std::equal(signature.begin(), signature.end(), content.begin());
}

Image decode(const Bytes& content) {
  if (begins_with(content, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) return decode_png(content);
  if (begins_with(content, {0xff, 0xd8, 0xff})) return decode_jpeg(content);
  if (begins_with(content, {'P', '5'}) || begins_with(content, {'P', '6'})) return decode_pnm(content);
  throw corrupt("content is none of PNG, JPEG, binary PGM and PPM");
}

/// The grey level that the model computes of one pixel (Pillow's 16-bit luma).
unsigned grey(const uint8_t* pixel, int64_t channels) {
  if (channels == 1) return pixel[0];
  return (pixel[0] * 19595U + pixel[1] * 38470U + pixel[2] * 7471U + 0x8000U) >> 16;
}

bool is_blank(const Image& image) {
  const unsigned first = grey(image.pixels.data(), image.channels);
  for (size_t at = 0; at < image.pixels.size(); at += static_cast<size_t>(image.channels)) {
    if (grey(&image.pixels[at], image.channels) != first) return false;
  }
  return true;
}

}  // namespace

Image read_image(const std::filesystem::path& file) {
  Image image = decode(read_file(file));
  if (is_blank(image)) throw unsupported("image is blank, expected a scan");
  return image;
}

void check_size(uint64_t width, uint64_t height) {
  const std::string found = "image is " + std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (std::max(width, height) > kMaxSide || width * height > kMaxPixels) {
    throw over_limit(found + ", expected at most 8192 a side and 40,000,000 in all");
  }
  if (std::min(width, height) < kMinSide) throw unsupported(found + ", expected at least 16 a side");
}

void check_upright(unsigned orientation) {
  if (orientation < 2 || orientation > 8) return;  // brain-infer ignores other numbers, too
  throw unsupported("EXIF orientation is " + std::to_string(orientation) + ", expected an upright image; turn it first");
}

unsigned exif_orientation(const uint8_t* tiff, size_t size) {
  constexpr unsigned kOrientation = 0x0112;
  constexpr size_t kEntry = 12;
  if (size < 8) return 1;
  const bool is_little = tiff[0] == 'I';
  const auto u16 = [&](size_t at) -> unsigned {
    if (at + 2 > size) return 0;
    return is_little ? tiff[at] | tiff[at + 1] << 8 : tiff[at] << 8 | tiff[at + 1];
  };
  const size_t start = is_little ? u16(4) | size_t{u16(6)} << 16 : size_t{u16(4)} << 16 | u16(6);
  const unsigned entries = u16(start);
  for (size_t entry = start + 2; entry < start + 2 + entries * kEntry && entry + kEntry <= size; entry += kEntry) {
    if (u16(entry) == kOrientation) return u16(entry + 8);
  }
  return 1;
}

}  // namespace brain_edge
