#include "common/base/ids.h"

#include <sys/random.h>

#include <array>

namespace slc {

std::string NewRequestId() {
  std::array<unsigned char, 16> bytes{};
  // 16 bytes are below the size from which getrandom may be interrupted; it only fails before the
  // kernel's pool is seeded, which on a machine that runs us is long past.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace slc
