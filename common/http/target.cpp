#include "common/http/target.h"

#include <algorithm>

#include "common/base/text.h"

namespace slc::http {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsPlain(const std::string& text) { return text.find('\0') == std::string::npos; }

bool ReadQuery(std::string_view text, Target& target) {
  if (text.empty()) return true;
  for (const std::string& part : Split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = PercentDecode(std::string_view(part).substr(0, equals), true);
    auto value =
        PercentDecode(std::string_view(part).substr(std::min(equals + 1, part.size())), true);
    if (!name || !value || !IsPlain(*name) || !IsPlain(*value)) return false;
    target.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return decoded;
}

const std::string* Target::Find(std::string_view name) const {
  const auto found = std::find_if(query.begin(), query.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == query.end() ? nullptr : &found->second;
}

std::optional<Target> ParseTarget(std::string_view text) {
  Target target;
  text = text.substr(0, text.find('#'));
  const std::size_t question = std::min(text.find('?'), text.size());
  for (const std::string& part : Split(text.substr(0, question), '/')) {
    if (part.empty()) continue;
    auto segment = PercentDecode(part);
    if (!segment || !IsPlain(*segment) || *segment == "." || *segment == "..") return std::nullopt;
    target.segments.push_back(std::move(*segment));
  }
  if (!ReadQuery(text.substr(std::min(question + 1, text.size())), target)) return std::nullopt;
  return target;
}

}  // namespace slc::http
