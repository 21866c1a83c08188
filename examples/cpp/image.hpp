// An image file as what the one-file model takes. What this program would read otherwise than brain-infer is refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace brain_edge {

using Bytes = std::vector<uint8_t>;

/// 8 bits a channel, row by row: grey (1 channel) or RGB (3), upright, opaque.
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  Bytes pixels;
};

/// Read a file: binary PGM or PPM, and PNG or JPEG where this program was built with a decoder for them.
/// @throws Failure unreadable, corrupt, unsupported, over_limit.
Image read_image(const std::filesystem::path& file);

/// Refuse what brain-infer refuses by size, before anything is decoded.
/// @throws Failure over_limit, unsupported.
void check_size(uint64_t width, uint64_t height);

// The decoders: a whole file in memory, whose first bytes have been looked at.
Image decode_pnm(const Bytes& file);
Image decode_png(const Bytes& file);
Image decode_jpeg(const Bytes& file);

/// EXIF orientation (tag 0x0112, 1 is upright) of a TIFF block as PNG's eXIf and JPEG's APP1 hold it; 1 without one.
unsigned exif_orientation(const uint8_t* tiff, size_t size);

/// @throws Failure unsupported: the image is not stored upright.
void check_upright(unsigned orientation);

}  // namespace brain_edge
