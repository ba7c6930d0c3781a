// RestartTimes: when services are to be soft-restarted by --restart-at, and which of these times
// are due. Pure.
//
// A time that was not looked at within kLatest (slcd was down, the machine asleep, the clock put
// forward) is missed: it is told and not made up for. A clock that is put back by kSmallTurn at
// most does not bring times again that have been.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/base/cron.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/base/time_zone.h"

namespace slc {

struct DueRestart {
  ServiceId id = 0;
  Millis due = 0;  // wall, as all times here
  bool missed = false;

  bool operator==(const DueRestart&) const = default;
};

class RestartTimes {
 public:
  static constexpr Millis kLatest = 60'000;
  static constexpr Millis kSmallTurn = Millis{3} * 3600 * 1000;

  // From now on these times of `id`, those after `since`.
  void Set(ServiceId id, const CronSchedule& schedule, const TimeZone& zone, Millis since);
  // The rules of its zone have been read anew.
  void SetZone(ServiceId id, const TimeZone& zone);
  void Clear(ServiceId id) { entries_.erase(id); }

  // It is `now`: what has become due since the last call.
  std::vector<DueRestart> Pass(Millis now);
  // When Pass() has something to give.
  std::optional<Millis> deadline() const;
  std::optional<Millis> NextOf(ServiceId id) const;
  const TimeZone* ZoneOf(ServiceId id) const;

 private:
  struct Entry {
    CronSchedule schedule;
    TimeZone zone;
    Millis seen = 0;  // times up to it have been
    std::optional<Millis> next;
  };
  static void Reckon(Entry& entry) { entry.next = entry.schedule.Next(entry.seen, entry.zone); }

  std::map<ServiceId, Entry> entries_;
};

}  // namespace slc
