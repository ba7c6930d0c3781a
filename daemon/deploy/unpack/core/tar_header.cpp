#include "daemon/deploy/unpack/core/tar_header.h"

#include <algorithm>
#include <optional>

#include "common/base/text.h"

namespace slc::unpack {
namespace {

struct Field {
  std::size_t at = 0;
  std::size_t size = 0;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kSize{124, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8};
constexpr Field kPrefix{345, 155};
constexpr std::string_view kUstar("ustar\00000", 8);
constexpr std::string_view kGnu("ustar  \0", 8);

std::string_view Cut(std::string_view block, Field field) {
  return block.substr(field.at, field.size);
}

std::string TextOf(std::string_view field) {
  return std::string(field.substr(0, field.find('\0')));
}

std::uint64_t Byte(char c) { return static_cast<unsigned char>(c); }

// GNU's way to write what octal digits cannot hold: a first byte of 0x80, then big-endian.
std::optional<std::uint64_t> Base256(std::string_view field) {
  if (Byte(field.front()) != 0x80) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : field.substr(1)) {
    if (value >> 55 != 0) return std::nullopt;
    value = value << 8 | Byte(c);
  }
  return value;
}

// Blanks, octal digits, and nothing but blanks and NULs to the end. No digit at all is 0.
std::optional<std::uint64_t> Number(std::string_view field) {
  if (Byte(field.front()) >= 0x80) return Base256(field);
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  std::uint64_t value = 0;
  while (!field.empty() && field.front() >= '0' && field.front() <= '7') {
    if (value >> 60 != 0) return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(field.front() - '0');
    field.remove_prefix(1);
  }
  if (field.find_first_not_of(std::string_view(" \0", 2)) != std::string_view::npos) {
    return std::nullopt;
  }
  return value;
}

// The sum of all bytes, those of the checksum itself taken for blanks.
std::uint64_t SumOf(std::string_view block) {
  std::uint64_t sum = kChecksum.size * Byte(' ');
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (i < kChecksum.at || i >= kChecksum.at + kChecksum.size) sum += Byte(block[i]);
  }
  return sum;
}

}  // namespace

Result<TarHeader> DecodeTarHeader(std::string_view block) {
  const std::string_view magic = Cut(block, kMagic);
  if (magic != kUstar && magic != kGnu) {
    return Error{ErrorCode::kInvalid, "this is no tar archive in the format of ustar, pax or GNU"};
  }
  if (Number(Cut(block, kChecksum)) != SumOf(block)) {
    return Error{ErrorCode::kInvalid, "a header's checksum is wrong: the archive is damaged"};
  }
  TarHeader header;
  header.type = block[kType] == '\0' ? '0' : block[kType];
  header.name = TextOf(Cut(block, kName));
  header.link = TextOf(Cut(block, kLink));
  // GNU keeps other things where ustar has the prefix.
  if (magic == kUstar) {
    const std::string prefix = TextOf(Cut(block, kPrefix));
    if (!prefix.empty()) header.name = prefix + "/" + header.name;
  }
  const auto size = Number(Cut(block, kSize));
  const auto mode = Number(Cut(block, kMode));
  if (!size || !mode) {
    return Error{ErrorCode::kInvalid, Printable(header.name) + " has a " +
                                          (size ? "mode" : "size") + " that is no number"};
  }
  header.size = *size;
  header.mode = static_cast<unsigned>(*mode & 07777);
  return header;
}

}  // namespace slc::unpack
