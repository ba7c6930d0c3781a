#include "ctl/values.h"

#include <algorithm>

#include "common/base/text.h"

namespace slc::ctl {

Error Refusal(const std::string& message) { return Error{ErrorCode::kUsage, message}; }

Result<Millis> ToDuration(const std::string& text, Millis least) {
  constexpr Millis kMost = 24LL * 3600 * 1000;
  const Millis value = ParseDuration(text);
  if (value < least || value > kMost) {
    return Refusal(
        "'" + Printable(text) + "' is no duration; write for example 500ms, 30s, 2m" +
        (value >= 0 && value < least ? " (" + std::to_string(least) + "ms at least)" : "") +
        (value > kMost ? " (24h at most)" : ""));
  }
  return value;
}

Result<Millis> ToWallTime(const std::string& text) {
  const Millis time = ParseIso(text);
  if (time > 0) return time;
  const bool has_unit = !text.empty() && (text.back() < '0' || text.back() > '9');
  const Millis ago = has_unit ? ParseDuration(text) : -1;
  if (ago < 0) {
    return Refusal("'" + Printable(text) +
                   "' is no time; write for example 10m, 2h, 2026-11-22 or 2026-11-22T17:16 (UTC)");
  }
  return std::max<Millis>(1, WallNow() - ago);
}

Result<std::uint16_t> ToPort(const std::string& text) {
  const auto port = ToNumber(text, 1, 65535, "a port is a number from 1 to 65535");
  if (!port) return port.error();
  return static_cast<std::uint16_t>(*port);
}

Result<std::uint64_t> ToBytes(const std::string& text, const std::string& what) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const auto number = ParseInteger(text.substr(0, digits), 1, 1LL << 40);
  const std::string unit = text.substr(digits);
  unsigned shift = 0;
  if (unit == "k" || unit == "K") shift = 10;
  if (unit == "M") shift = 20;
  if (unit == "G") shift = 30;
  constexpr std::uint64_t kLeast = 64U << 10;
  const std::uint64_t bytes = number ? static_cast<std::uint64_t>(*number) << shift : 0;
  if (!number || (shift == 0 && !unit.empty()) || bytes < kLeast || bytes > (1ULL << 40)) {
    return Refusal("'" + Printable(text) + "' is no " + what +
                   "; write for example 512k, 10M, 1G (64k at least)");
  }
  return bytes;
}

Result<std::int64_t> ToNumber(const std::string& text, std::int64_t least, std::int64_t most,
                              const std::string& what) {
  const auto number = ParseInteger(text, least, most);
  if (!number) return Refusal(what + ", not '" + Printable(text) + "'");
  return *number;
}

}  // namespace slc::ctl
