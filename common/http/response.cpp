#include "common/http/response.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "common/base/text.h"

namespace slc::http {

const char* ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string ResponseHead(const Response& response, Framing framing, std::uint64_t length,
                         bool keep_alive, const std::string& date) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  head += ReasonPhrase(response.status);
  head += "\r\nDate: ";
  head += date;
  if (!response.type.empty()) {
    head += "\r\nContent-Type: ";
    head += response.type;
  }
  for (const Header& header : response.headers) {
    head += "\r\n";
    head += header.name;
    head += ": ";
    head += header.value;
  }
  if (framing == Framing::kLength) {
    head += "\r\nContent-Length: ";
    head += std::to_string(length);
  } else if (framing == Framing::kChunks) {
    head += "\r\nTransfer-Encoding: chunked";
  }
  head += keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  return head;
}

std::string HttpDate(std::int64_t wall) {
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto seconds = static_cast<std::time_t>(wall / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text.data();
}

std::string Chunk(std::string_view data) {
  if (data.empty()) return {};
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  std::string chunk(size.data(), end);
  chunk += "\r\n";
  chunk += data;
  chunk += "\r\n";
  return chunk;
}

std::string ServerSentEvent(std::string_view event, std::string_view data, std::string_view id) {
  std::string text;
  if (!id.empty()) text += "id: " + std::string(id) + "\n";
  if (!event.empty()) text += "event: " + std::string(event) + "\n";
  for (const std::string& line : Split(data, '\n')) {
    // A line end of the format, too.
    for (const std::string& part : Split(line, '\r')) text += "data: " + part + "\n";
  }
  return text + "\n";
}

}  // namespace slc::http
