// What a server answers, as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/request_head.h"

namespace slc::http {

// The words behind a status; "Unknown" if it has none here.
const char* ReasonPhrase(int status);

struct Response {
  int status = 200;
  std::string type = "application/json; charset=utf-8";  // empty: none
  std::vector<Header> headers;                           // beyond type, length, date, connection
  std::string body;
};

// How the end of a body is known.
enum class Framing {
  kLength,  // a Content-Length
  kChunks,  // one piece after the other, HTTP/1.1
  kClose,   // the connection ends with it, HTTP/1.0
  kNone,    // there is no body and no length: 1xx, 204, 304
};

// The head of an answer with its empty line. `length` of the body with kLength. `date` as
// HttpDate() gives it.
std::string ResponseHead(const Response& response, Framing framing, std::uint64_t length,
                         bool keep_alive, const std::string& date);

// "Sun, 06 Nov 1994 08:49:37 GMT" of a moment in wall time (ms).
std::string HttpDate(std::int64_t wall);

// One piece of a body in chunks; nothing for an empty piece, as that would be the end.
std::string Chunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// An event for an EventSource: `event` may be empty, `data` may have several lines.
std::string ServerSentEvent(std::string_view event, std::string_view data,
                            std::string_view id = {});

}  // namespace slc::http
