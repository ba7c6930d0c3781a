#include "ctl/inspect/growth.h"

#include <algorithm>
#include <tuple>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "ctl/table.h"

namespace slc::ctl {
namespace {

using nlohmann::json;

std::string Signed(std::int64_t number) { return (number > 0 ? "+" : "") + std::to_string(number); }

}  // namespace

Result<Growth> ReadGrowth(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error().During("the counts of the worker");
  Growth growth;
  JsonFields fields(*parsed, "counts");
  fields.Read("since", growth.since);
  fields.Read("until", growth.until);
  fields.Read("paused_ms", growth.paused);
  for (const Millis time : {growth.since, growth.until, growth.paused}) {
    // The year 2286: they come from the app's process, and are reckoned with.
    constexpr Millis kMost = 10'000'000'000'000;
    if (time < 0 || time > kMost) return Error{ErrorCode::kInvalid, "counts: a time that is none"};
  }
  fields.Read("objects", growth.objects);
  fields.ReadObject("classes", [&](const json& classes) -> Status {
    if (!classes.is_object()) return Error{ErrorCode::kInvalid, "counts.classes: no object"};
    for (const auto& [name, value] : classes.items()) {
      ClassGrowth& one = growth.classes.emplace_back();
      one.name = name;
      JsonFields entry(value, "counts.classes");
      entry.Read("count", one.count);
      entry.Read("size", one.size);
      entry.Read("total", one.total);
      entry.Read("total_size", one.total_size);
      if (Status good = entry.status(); !good) return good;
    }
    return Ok();
  });
  if (Status good = fields.status(); !good) return good.error();
  std::sort(growth.classes.begin(), growth.classes.end(), [](const auto& one, const auto& other) {
    return std::tie(other.size, other.count, one.name) < std::tie(one.size, one.count, other.name);
  });
  return growth;
}

std::string GrowthText(const Growth& growth, std::size_t most) {
  std::vector<std::vector<std::string>> rows{
      {"Class", "Growth", "Growth in bytes", "Objects", "Bytes"}};
  std::size_t shown = 0;
  for (const ClassGrowth& one : growth.classes) {
    if (shown == most || (one.size <= 0 && one.count <= 0)) break;
    ++shown;
    rows.push_back({Printable(one.name), Signed(one.count), Signed(one.size),
                    std::to_string(one.total), std::to_string(one.total_size)});
  }
  std::string text = "In " + FormatSpan(std::max<Millis>(0, growth.until - growth.since)) +
                     ", of " + std::to_string(growth.objects) + " objects (bytes are estimated):\n";
  if (shown == 0) return text + "No class grew\n";
  text += LayOut(rows, {});
  if (growth.classes.size() > shown) {
    text += std::to_string(growth.classes.size() - shown) + " more classes changed: --json\n";
  }
  return text;
}

}  // namespace slc::ctl
