// What a server says while it deploys: never a crash, and what is understood is written as it was
// read.
#include "common/http/deploy_stream.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = slc::fuzz::Text(data, size);
  slc::http::DeployLines lines;
  lines.Append(text);
  while (true) {
    auto line = lines.Next();
    if (!line || !*line) break;
    slc::fuzz::CheckRoundTrip(
        slc::http::EncodeDeployLine(**line),
        [](const std::string& each) {
          return slc::http::DecodeDeployLine(each.substr(0, each.size() - 1));
        },
        slc::http::EncodeDeployLine);
  }
  return 0;
}
