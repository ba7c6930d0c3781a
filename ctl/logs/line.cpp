#include "ctl/logs/line.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace slc::ctl {
namespace {

constexpr std::string_view kJsonStart = R"({"time":")";
constexpr std::size_t kStampSize = 24;

// Takes `prefix` and a number from the front of `text`.
std::optional<std::int64_t> TakeNumber(std::string_view* text, std::string_view prefix) {
  if (!StartsWith(*text, prefix)) return std::nullopt;
  const std::string_view rest = text->substr(prefix.size());
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (code != std::errc{}) return std::nullopt;
  *text = rest.substr(static_cast<std::size_t>(end - rest.data()));
  return value;
}

}  // namespace

Millis StampParser::Parse(std::string_view line) {
  constexpr std::size_t kMinuteSize = 17;  // "2026-11-22T17:16:"
  if (StartsWith(line, kJsonStart)) line.remove_prefix(kJsonStart.size());
  if (line.size() < kStampSize || line[10] != 'T' || line[19] != '.' || line[23] != 'Z') return -1;
  if (line.size() > kStampSize && line[kStampSize] != ' ' && line[kStampSize] != '"') return -1;
  const auto digit = [line](std::size_t at) {
    return line[at] >= '0' && line[at] <= '9' ? line[at] - '0' : 100000;
  };
  const Millis within =
      (digit(17) * 10 + digit(18)) * 1000 + digit(20) * 100 + digit(21) * 10 + digit(22);
  if (within >= 61000) return -1;
  if (line.substr(0, kMinuteSize) != minute_) {
    const Millis start = ParseIso(std::string(line.substr(0, kMinuteSize - 1)));
    if (start < 0) return -1;
    minute_ = std::string(line.substr(0, kMinuteSize));
    minute_start_ = start;
  }
  return minute_start_ + within;
}

LogFields ParseLogLine(const std::string& line) {
  LogFields fields;
  StampParser stamps;
  const Millis time = stamps.Parse(line);
  fields.text = line;
  if (time < 0) return fields;
  if (StartsWith(line, kJsonStart)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) return fields;
    fields.time = time;
    fields.text = json["text"].get<std::string>();
    const auto number = [&json](const char* name) -> std::optional<std::int64_t> {
      const auto found = json.find(name);
      if (found == json.end() || !found->is_number_integer()) return std::nullopt;
      return found->get<std::int64_t>();
    };
    fields.pid = number("pid");
    if (const auto worker = number("worker")) fields.worker = static_cast<WorkerId>(*worker);
    return fields;
  }
  std::string_view rest = std::string_view(line).substr(kStampSize);
  const auto pid = TakeNumber(&rest, " pid:");
  const auto worker = pid ? TakeNumber(&rest, " worker:") : std::nullopt;
  if (!worker) return fields;
  fields.time = time;
  fields.pid = pid;
  fields.worker = static_cast<WorkerId>(*worker);
  fields.text = std::string(StartsWith(rest, " ") ? rest.substr(1) : rest);
  return fields;
}

}  // namespace slc::ctl
