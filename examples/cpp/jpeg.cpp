// JPEG by libjpeg-turbo's TurboJPEG, with the same transform and upsampling as Pillow: the same pixels.
#include "failure.hpp"
#include "image.hpp"

#ifdef BRAIN_EDGE_JPEG
#include <turbojpeg.h>

#include <cstring>
#include <memory>
#include <string>
#endif

namespace brain_edge {

#ifdef BRAIN_EDGE_JPEG
namespace {

/// Orientation of the first segment APP1 "Exif"; 1 where there is none.
unsigned orientation_of(const Bytes& file) {
  constexpr uint8_t kApp1 = 0xe1, kStartOfScan = 0xda;
  constexpr char kName[] = "Exif\0";  // and the 0 that ends the literal
  for (size_t at = 2; at + 4 <= file.size() && file[at] == 0xff && file[at + 1] != kStartOfScan;) {
    const size_t length = static_cast<size_t>(file[at + 2]) << 8 | file[at + 3];
    if (length < 2 || at + 2 + length > file.size()) break;
    if (file[at + 1] == kApp1 && length >= 2 + sizeof kName && !std::memcmp(&file[at + 4], kName, sizeof kName)) {
      return exif_orientation(&file[at + 4 + sizeof kName], length - 2 - sizeof kName);
    }
    at += 2 + length;
  }
  return 1;
}

[[noreturn]] void fail(tjhandle decoder) {
  throw corrupt(std::string("image is damaged or cut short (") + tjGetErrorStr2(decoder) + ")");
}

}  // namespace

Image decode_jpeg(const Bytes& file) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) throw inference_failed("libjpeg-turbo does not start");
  const auto size = static_cast<unsigned long>(file.size());  // NOLINT(google-runtime-int): TurboJPEG's type
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), file.data(), size, &width, &height, &subsampling, &colours) != 0) {
    fail(decoder.get());
  }
  check_size(static_cast<uint64_t>(width), static_cast<uint64_t>(height));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) throw unsupported("JPEG is CMYK, expected grey or colour");
  check_upright(orientation_of(file));
  Image image{height, width, colours == TJCS_GRAY ? 1 : 3, {}};
  image.pixels.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * static_cast<size_t>(image.channels));
  // A warning means that the decoder filled something in. A progressive file may hold scans that take minutes.
  const int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
  const int format = image.channels == 1 ? TJPF_GRAY : TJPF_RGB;
  if (tjDecompress2(decoder.get(), file.data(), size, image.pixels.data(), width, 0, height, format, flags) != 0) {
    fail(decoder.get());
  }
  return image;
}
#else
Image decode_jpeg(const Bytes&) { throw unsupported("format is JPEG, and this program was built without TurboJPEG"); }
#endif

}  // namespace brain_edge
