// The record of a profile, which disks may damage, and the names beside it, which anybody may put.
#include "common/model/profile.h"

#include "daemon/profiles/core/shelf.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const std::string text = fuzz::Text(data, size);
  fuzz::CheckRoundTrip(text, DecodeProfile, EncodeProfile);
  profiles::ShelfFolder folder;
  folder.names = {text.substr(0, text.find('\n'))};
  for (const std::string& name : profiles::Leftovers(folder)) {
    if (name.find('/') != std::string::npos) __builtin_trap();
  }
  return 0;
}
