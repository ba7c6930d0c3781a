// HeadLines: the rules for lines of a head that requests and responses have in common, and the line
// ends. What is refused here is what two readers could understand in two ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace slc::http {

inline constexpr std::string_view kLineEnd = "\r\n";
inline constexpr std::string_view kHeadEnd = "\r\n\r\n";
// Of a body, bytes. Beyond what a JSON number holds exactly nobody counts.
inline constexpr std::uint64_t kMostLength = std::uint64_t{1} << 53;

// A word as RFC 9110 allows it for methods and names of headers.
bool IsToken(std::string_view text);

// Why a line is not NAME: VALUE, for people; nothing if it is.
std::optional<std::string_view> FaultOfHeader(std::string_view line);

// The value of a Content-Length.
std::optional<std::uint64_t> ParseLength(std::string_view value);

}  // namespace slc::http
