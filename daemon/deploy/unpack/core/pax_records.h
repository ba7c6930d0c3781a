// The records of a pax header ("27 path=package/index.js\n"), of which only those count that say
// what a member is: its path, what it links to, its size. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::unpack {

struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> link;
  std::optional<std::uint64_t> size;
};

// kInvalid for records that are not whole, for one of the three that comes twice, is empty or holds
// a NUL, and for what changes how content is to be read (sparse files).
Result<PaxRecords> DecodePaxRecords(std::string_view text);

}  // namespace slc::unpack
