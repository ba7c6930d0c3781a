// CRC-32C (Castagnoli), the checksum of snapshots and state files.
#pragma once

#include <cstdint>
#include <string_view>

namespace slc {

std::uint32_t Crc32c(std::string_view data);

}  // namespace slc
