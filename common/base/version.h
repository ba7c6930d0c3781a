// Version: which slc this is, and which protocols it speaks. All of it is in one object file of its
// own, so that the tests can link the same code as another version.
#pragma once

#include <cstdint>

namespace slc {

// Both ends say theirs; they speak the newest that is in both. A program speaks its own and the one
// before, so that a package can be upgraded process by process.
struct ProtocolRange {
  std::uint32_t newest = 0;
  std::uint32_t oldest = 0;

  bool Meets(const ProtocolRange& other) const {
    return oldest <= other.newest && other.oldest <= newest;
  }
  bool operator==(const ProtocolRange&) const = default;
};

struct Version {
  const char* text;
  ProtocolRange control;  // clients and slcd
  ProtocolRange link;     // slcd and masters
};
const Version& OwnVersion();

}  // namespace slc
