// PNG by libspng, which reports errors by value: libpng would jump over C++ destructors. No gamma is applied.
#include "failure.hpp"
#include "image.hpp"

#ifdef BRAIN_EDGE_PNG
#include <spng.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#endif

namespace brain_edge {

#ifdef BRAIN_EDGE_PNG
namespace {

void check(int status) {
  if (status != 0) throw corrupt(std::string("image is damaged or cut short (") + spng_strerror(status) + ")");
}

/// Refuse what may state another orientation: EXIF as a chunk, or one of the texts that editors keep it in.
void check_orientation(spng_ctx* reader) {
  spng_exif exif{};
  if (spng_get_exif(reader, &exif) == 0) {
    check_upright(exif_orientation(reinterpret_cast<const uint8_t*>(exif.data), exif.length));
  }
  uint32_t count = 0;
  if (spng_get_text(reader, nullptr, &count) != 0 || count == 0) return;
  std::vector<spng_text> texts(count);
  check(spng_get_text(reader, texts.data(), &count));
  for (const spng_text& text : texts) {
    const std::string_view content(text.text, text.length);
    if (!std::strcmp(text.keyword, "Raw profile type exif") || content.find("tiff:Orientation") != content.npos) {
      throw unsupported("PNG has a text that may state its orientation; save it without, upright");
    }
  }
}

/// An animated PNG (APNG) has several frames, and we cannot know which one is meant.
void refuse_frames(spng_ctx* reader) {
  uint32_t count = 0;
  if (spng_get_unknown_chunks(reader, nullptr, &count) != 0 || count == 0) return;
  std::vector<spng_unknown_chunk> chunks(count);
  check(spng_get_unknown_chunks(reader, chunks.data(), &count));
  for (const spng_unknown_chunk& chunk : chunks) {
    if (!std::memcmp(chunk.type, "acTL", 4)) throw unsupported("image has several frames (animated PNG), expected one");
  }
}

/// RGBA to RGB.
Bytes without_opacity(const Bytes& pixels) {
  Bytes kept;
  kept.reserve(pixels.size() / 4 * 3);
  for (size_t at = 0; at < pixels.size(); at += 4) {
    if (pixels[at + 3] != 255) throw unsupported("image is transparent in places; put it on black first");
    kept.insert(kept.end(), &pixels[at], &pixels[at] + 3);
  }
  return kept;
}

}  // namespace

Image decode_png(const Bytes& file) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> reader(spng_ctx_new(0), spng_ctx_free);
  if (!reader) throw inference_failed("libspng does not start");
  check(spng_set_image_limits(reader.get(), 1U << 24, 1U << 24));  // check_size knows better what to say
  check(spng_set_chunk_limits(reader.get(), 1U << 20, 16U << 20));
  check(spng_set_crc_action(reader.get(), SPNG_CRC_ERROR, SPNG_CRC_ERROR));
  check(spng_set_option(reader.get(), SPNG_KEEP_UNKNOWN_CHUNKS, 1));
  check(spng_set_png_buffer(reader.get(), file.data(), file.size()));
  spng_ihdr header{};
  check(spng_get_ihdr(reader.get(), &header));
  check_size(header.width, header.height);
  if (header.bit_depth == 16) {
    // Scanners write 12 bits into 16: brain-infer scales by the largest value, decoders divide by 65535.
    throw unsupported("16-bit PNG; scale it to 8 bits by its largest value first");
  }
  spng_trns transparency{};
  const bool may_be_clear = (header.color_type & 4) != 0 || spng_get_trns(reader.get(), &transparency) == 0;
  const bool is_grey = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && !may_be_clear;
  const int format = may_be_clear ? SPNG_FMT_RGBA8 : is_grey ? SPNG_FMT_G8 : SPNG_FMT_RGB8;
  size_t size = 0;
  check(spng_decoded_image_size(reader.get(), format, &size));
  Image image{header.height, header.width, is_grey ? 1 : 3, Bytes(size)};
  check(spng_decode_image(reader.get(), image.pixels.data(), size, format, may_be_clear ? SPNG_DECODE_TRNS : 0));
  check(spng_decode_chunks(reader.get()));  // to IEND; metadata may follow the pixels
  refuse_frames(reader.get());
  check_orientation(reader.get());
  if (may_be_clear) image.pixels = without_opacity(image.pixels);
  return image;
}
#else
Image decode_png(const Bytes&) { throw unsupported("format is PNG, and this program was built without libspng"); }
#endif

}  // namespace brain_edge
