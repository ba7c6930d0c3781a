#include "daemon/core/past.h"

#include <array>
#include <charconv>
#include <string_view>

#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kNewBoot = "the machine was started anew";

// What was asked of a service, or found of its record, does not tell that it ran.
bool TellsOfLife(const std::string& kind) {
  static constexpr std::array<std::string_view, 5> kOthers{"change", "generation", "quarantined",
                                                           "fallen_back", "gap"};
  for (const std::string_view other : kOthers) {
    if (kind == other) return false;
  }
  return true;
}

bool TellsOfNoLife(const std::string& kind) {
  static constexpr std::array<std::string_view, 4> kEnds{"stopped", "finished", "master_failed",
                                                         "all_gone"};
  for (const std::string_view end : kEnds) {
    if (kind == end) return true;
  }
  return false;
}

}  // namespace

Past::Past(const JournalEnd& end, const std::string& boot) : whole_(end.whole) {
  std::string_view rest = end.text;
  rest = rest.substr(0, rest.rfind('\n') + 1);
  while (!rest.empty()) {
    const std::size_t before = rest.substr(0, rest.size() - 1).rfind('\n');
    const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view line = rest.substr(start, rest.size() - 1 - start);
    rest = rest.substr(0, start);
    if (last_ > 0 && !IsNews(line)) continue;
    const auto record = DecodeJournalLine(line);
    if (!record) continue;
    if (last_ == 0) last_ = record->time;
    if (!IsNews(line)) continue;
    const Last last{record->kind, record->time, record->pid};
    if (StartsWith(record->kind, "daemon_")) {
      daemon_ = last;
      rebooted_ = !record->boot.empty() && record->boot != boot;
    } else if (record->id != 0 && TellsOfLife(record->kind)) {
      newest_.emplace(record->id, last);
    }
  }
}

// A slcd that starts is waited for: only what may count is decoded. (Within a text of the record
// the quotes would be escaped.)
bool Past::IsNews(std::string_view line) const {
  if (line.find("\"kind\":\"daemon_") != std::string_view::npos) return !daemon_;
  constexpr std::string_view kId = "\"id\":";
  const std::size_t at = line.find(kId);
  if (at == std::string_view::npos) return false;
  ServiceId id = 0;
  std::from_chars(line.data() + at + kId.size(), line.data() + line.size(), id);
  return newest_.count(id) == 0;
}

std::string Past::OfDaemon(int pid) const {
  if (!daemon_) return {};
  if (rebooted_) return kNewBoot;
  if (daemon_->kind != "daemon_started" || daemon_->pid == pid) return {};
  return "the one before (pid " + std::to_string(daemon_->pid) +
         ") had ended without telling why: killed or crashed";
}

std::optional<std::string> Past::EndOf(ServiceId id) const {
  const auto found = newest_.find(id);
  const bool known = found != newest_.end();
  if (known && TellsOfNoLife(found->second.kind)) return std::nullopt;
  if (!known && (whole_ || !daemon_ || daemon_->kind == "daemon_stopping")) return std::nullopt;
  if (rebooted_) return kNewBoot;
  if (!known) return "since when is not known";
  return "since when is not known; the last record of it is of " + FormatIso(found->second.time);
}

}  // namespace slc
