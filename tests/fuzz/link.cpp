// Packets between slcd and a master, which may be of different versions.
#include "common/wire/link.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  slc::fuzz::CheckRoundTrip(slc::fuzz::Text(data, size), slc::link::Decode, slc::link::Encode);
  return 0;
}
