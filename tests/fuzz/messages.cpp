// The control protocol: what slcd reads from clients, and clients from slcd.
#include "common/wire/messages.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = slc::fuzz::Text(data, size);
  slc::fuzz::CheckRoundTrip(text, slc::DecodeRequest, slc::EncodeRequest);
  slc::fuzz::CheckRoundTrip(text, slc::DecodeServerMessage, slc::EncodeServerMessage);
  return 0;
}
