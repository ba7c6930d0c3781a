// The requests of an HTTP connection, in pieces whose sizes the first byte gives: never a crash, no
// piece of a body that was not sent, and the same is read whatever the pieces are.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/request_parser.h"
#include "common/http/target.h"
#include "tests/fuzz/fuzz.h"

namespace {

using slc::http::RequestParser;

std::string Read(std::string_view bytes, std::size_t piece) {
  RequestParser parser;
  std::string read;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view rest = bytes.substr(at, piece);
    while (true) {
      const std::size_t before = rest.size();
      const RequestParser::Event event = parser.Next(rest);
      slc::fuzz::Check(rest.size() <= before, "bytes are taken from the front");
      if (event == RequestParser::Event::kMore) {
        slc::fuzz::Check(rest.empty(), "more is asked for when all was taken");
        break;
      }
      if (event == RequestParser::Event::kHead) {
        const auto& head = parser.head();
        slc::fuzz::Check(!head.chunked || !head.length, "a body has one end");
        slc::fuzz::Check(head.http10 || head.Find("host") != nullptr, "a request names its host");
        static_cast<void>(slc::http::ParseTarget(head.target));
        read += "\nhead " + head.method + " " + head.target + "\n";
      }
      if (event == RequestParser::Event::kData) {
        const std::string_view data = parser.data();
        slc::fuzz::Check(!data.empty() && bytes.find(data) != std::string_view::npos,
                         "a body is what was sent");
        read += data;
      }
      if (event == RequestParser::Event::kEnd) read += "\nend\n";
      if (event == RequestParser::Event::kRefused) {
        return read + "\nrefused " + std::to_string(parser.refusal().status);
      }
    }
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  slc::fuzz::Check(Read(bytes, bytes.size()) == Read(bytes, 1U + data[0] % 64U),
                   "pieces change nothing");
  return 0;
}
