#include "common/base/log_names.h"

#include <cstddef>
#include <string_view>

#include "common/base/text.h"

namespace slc {
namespace {

constexpr std::string_view kShape = "00000000T000000.000Z";

bool IsStamp(std::string_view text) {
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] == '0' ? (text[i] < '0' || text[i] > '9') : text[i] != kShape[i]) return false;
  }
  return true;
}

}  // namespace

const char* Name(LogStream stream) { return stream == LogStream::kOut ? "out" : "err"; }

std::string CurrentLogName(LogStream stream) { return std::string(Name(stream)) + ".log"; }

std::string LogStamp(Millis wall) {
  std::string stamp;
  for (const char c : FormatIso(wall)) {
    if (c != '-' && c != ':') stamp += c;
  }
  return stamp;
}

std::string RotatedLogName::FileName() const {
  return CurrentLogName(stream) + "." + stamp + (compressed ? ".gz" : "") +
         (temporary ? ".tmp" : "");
}

Millis RotatedLogName::time() const {
  return ParseIso(stamp.substr(0, 4) + "-" + stamp.substr(4, 2) + "-" + stamp.substr(6, 5) + ":" +
                  stamp.substr(11, 2) + ":" + stamp.substr(13));
}

std::optional<RotatedLogName> ParseRotatedLogName(const std::string& name) {
  RotatedLogName parsed;
  if (StartsWith(name, "err.log.")) {
    parsed.stream = LogStream::kErr;
  } else if (!StartsWith(name, "out.log.")) {
    return std::nullopt;
  }
  std::string_view rest(name);
  rest.remove_prefix(8);
  if (EndsWith(rest, ".gz.tmp")) {
    parsed.temporary = true;
    rest.remove_suffix(4);
  }
  if (EndsWith(rest, ".gz")) {
    parsed.compressed = true;
    rest.remove_suffix(3);
  }
  if (!IsStamp(rest)) return std::nullopt;
  parsed.stamp = std::string(rest);
  if (parsed.time() < 0) return std::nullopt;
  return parsed;
}

}  // namespace slc
