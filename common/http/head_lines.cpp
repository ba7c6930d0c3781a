#include "common/http/head_lines.h"

#include <algorithm>

#include "common/base/text.h"

namespace slc::http {
namespace {

bool IsTokenByte(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != 0 &&
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

}  // namespace

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsTokenByte(static_cast<unsigned char>(c));
  });
}

std::optional<std::string_view> FaultOfHeader(std::string_view line) {
  if (StartsWith(line, " ") || StartsWith(line, "\t")) return "a header is folded over two lines";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return "a header is not NAME: VALUE";
  }
  for (const char c : line.substr(colon + 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return "a header holds a control byte";
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ParseLength(std::string_view value) {
  const auto length = ParseInteger(value, 0, static_cast<std::int64_t>(kMostLength));
  // ParseInteger takes "-0" for a number.
  if (!length || value.front() == '-') return std::nullopt;
  return static_cast<std::uint64_t>(*length);
}

}  // namespace slc::http
