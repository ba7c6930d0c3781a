// The parts of a request's target, decoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slc::http {

// "%41b+c" -> "Ab+c"; `plus_is_blank` as in forms. Nothing if a % is not followed by two hex
// digits.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_blank = false);

struct Target {
  // Decoded one by one: an encoded slash stays within its segment. Empty ones are left out, so a
  // slash at the end or twice means nothing.
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;  // in their order, decoded

  // The first of that name; null if there is none.
  const std::string* Find(std::string_view name) const;
};

// Nothing if it cannot be decoded, holds a NUL, or a segment is "." or "..": nobody of ours sends
// those, and what would be read as a path is not to be found out by trying.
std::optional<Target> ParseTarget(std::string_view target);

}  // namespace slc::http
