// One header block of a tar archive, as ustar, pax and GNU tar write it. Pure.
//
// Fields that people have read in two ways are refused: a wrong checksum, a number that is none,
// negative or beyond 63 bits, a magic that is neither ustar's nor GNU's. Owners and times are not
// looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::unpack {

inline constexpr std::size_t kTarBlock = 512;

struct TarHeader {
  char type = 0;  // ustar's typeflag; '0' also where the oldest archives have NUL
  std::string name;
  std::string link;
  std::uint64_t size = 0;  // bytes of content behind the header
  unsigned mode = 0;
};

// `block` has kTarBlock bytes. kInvalid, naming the member if it has a name.
Result<TarHeader> DecodeTarHeader(std::string_view block);

}  // namespace slc::unpack
