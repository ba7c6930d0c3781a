// A service's file, which people may edit and disks may damage.
#include "daemon/store.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  fuzz::CheckRoundTrip(fuzz::Text(data, size), Store::Decode, Store::Encode);
  return 0;
}
