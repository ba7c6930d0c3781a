#include "daemon/core/restart_times.h"

#include <algorithm>

namespace slc {

void RestartTimes::Set(ServiceId id, const CronSchedule& schedule, const TimeZone& zone,
                       Millis since) {
  Entry entry{schedule, zone, since, std::nullopt};
  Reckon(entry);
  entries_.insert_or_assign(id, std::move(entry));
}

void RestartTimes::SetZone(ServiceId id, const TimeZone& zone) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.zone = zone;
  Reckon(found->second);
}

std::vector<DueRestart> RestartTimes::Pass(Millis now) {
  std::vector<DueRestart> due;
  for (auto& [id, entry] : entries_) {
    if (entry.next && *entry.next <= now) {
      due.push_back(DueRestart{id, *entry.next, now - *entry.next > kLatest});
      entry.seen = now;
    } else if (now < entry.seen - kSmallTurn) {
      entry.seen = now;
    } else {
      continue;
    }
    Reckon(entry);
  }
  return due;
}

std::optional<Millis> RestartTimes::deadline() const {
  std::optional<Millis> first;
  for (const auto& [id, entry] : entries_) {
    if (entry.next) first = first ? std::min(*first, *entry.next) : *entry.next;
  }
  return first;
}

std::optional<Millis> RestartTimes::NextOf(ServiceId id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? std::nullopt : found->second.next;
}

const TimeZone* RestartTimes::ZoneOf(ServiceId id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.zone;
}

}  // namespace slc
