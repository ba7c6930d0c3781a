// The control protocol: what slcd reads from clients, and clients from slcd.
#include "common/wire/messages.h"

#include "tests/fuzz/fuzz.h"

namespace {

std::string Encode(const slc::ServerMessage& message) {
  if (const auto* progress = std::get_if<slc::Progress>(&message.body)) {
    return slc::EncodeProgress(message.id, *progress);
  }
  return slc::EncodeReply(message.id, std::get<slc::Reply>(message.body), message.descriptors);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = slc::fuzz::Text(data, size);
  slc::fuzz::CheckRoundTrip(text, slc::DecodeRequest, slc::EncodeRequest);
  slc::fuzz::CheckRoundTrip(text, slc::DecodeServerMessage, Encode);
  return 0;
}
