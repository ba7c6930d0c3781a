// The answers on an HTTP connection, in pieces whose sizes the first byte gives: never a crash, no
// piece of a body that was not sent, no truncated answer taken for a whole one, and the same is
// read whatever the pieces are.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/response_parser.h"
#include "tests/fuzz/fuzz.h"

namespace {

using slc::http::ResponseParser;

std::string Read(std::string_view bytes, std::size_t piece, std::string_view method) {
  ResponseParser parser;
  parser.Expect(method);
  std::string read;
  std::uint64_t body = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view rest = bytes.substr(at, piece);
    while (true) {
      const std::size_t before = rest.size();
      const ResponseParser::Event event = parser.Next(rest);
      slc::fuzz::Check(rest.size() <= before, "bytes are taken from the front");
      if (event == ResponseParser::Event::kMore) {
        slc::fuzz::Check(rest.empty(), "more is asked for when all was taken");
        break;
      }
      if (event == ResponseParser::Event::kHead) {
        const auto& head = parser.head();
        const int ends =
            (head.chunked ? 1 : 0) + (head.length ? 1 : 0) + (head.until_close ? 1 : 0);
        slc::fuzz::Check(ends == 1, "a body has one end");
        slc::fuzz::Check(head.status >= 200 && head.status < 600, "a status is one of an answer");
        static_cast<void>(head.media_type());
        read += "\nhead " + std::to_string(head.status) + "\n";
        body = 0;
      }
      if (event == ResponseParser::Event::kData) {
        const std::string_view data = parser.data();
        slc::fuzz::Check(!data.empty() && bytes.find(data) != std::string_view::npos,
                         "a body is what was sent");
        read += data;
        body += data.size();
      }
      if (event == ResponseParser::Event::kEnd) {
        slc::fuzz::Check(!parser.head().length || *parser.head().length == body,
                         "a body is as long as was said");
        read += "\nend\n";
        // Nobody asks again: what follows is refused.
      }
      if (event == ResponseParser::Event::kRefused) return read + "\nrefused";
    }
  }
  const ResponseParser::Event last = parser.Close();
  slc::fuzz::Check(last == ResponseParser::Event::kEnd || last == ResponseParser::Event::kRefused,
                   "a connection that was closed says no more");
  return read + (last == ResponseParser::Event::kEnd ? "\nclosed" : "\ncut off");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view method = data[0] >= 128U ? "HEAD" : "GET";
  slc::fuzz::Check(Read(bytes, bytes.size(), method) == Read(bytes, 1U + data[0] % 64U, method),
                   "pieces change nothing");
  return 0;
}
