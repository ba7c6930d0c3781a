// Archives from a fuzzer's bytes: a header whose checksum does not match ends an archive at once,
// and no fuzzer finds one that does.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "daemon/deploy/unpack/core/tar_header.h"

namespace slc::fuzz {

// Gives each block that stands where a header is expected ustar's magic, unless it has GNU's, and
// the checksum it should have. Blocks of zeros stay.
inline void RepairTar(std::string& archive) {
  constexpr std::size_t kChecksum = 148;
  constexpr std::size_t kMagic = 257;
  constexpr std::size_t kBlock = unpack::kTarBlock;
  for (std::size_t at = 0; at + kBlock <= archive.size();) {
    const std::string_view block = std::string_view(archive).substr(at, kBlock);
    if (block.find_first_not_of('\0') == std::string_view::npos) {
      at += kBlock;
      continue;
    }
    if (block.substr(kMagic, 8) != std::string_view("ustar  \0", 8)) {
      archive.replace(at + kMagic, 8, std::string_view("ustar\00000", 8));
    }
    archive.replace(at + kChecksum, 8, "        ");
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(archive[at + i]);
    char digits[9];
    std::snprintf(digits, sizeof(digits), "%06o", sum);
    archive.replace(at + kChecksum, 7, std::string_view(digits, 7));
    const auto header = unpack::DecodeTarHeader(std::string_view(archive).substr(at, kBlock));
    if (!header || header->size > archive.size()) return;
    at += kBlock + (header->size + kBlock - 1) / kBlock * kBlock;
  }
}

}  // namespace slc::fuzz
