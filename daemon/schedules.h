// Schedules: soft restarts at the times of --restart-at. RestartTimes says when; here is the clock,
// and the rules of time zones, which the disk thread reads: anew with each time that has come, and
// when the clock is set.
//
// Only services that are to run have times. Those that are due at the same time follow each other a
// second apart.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/journal.h"
#include "common/model/view.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/uv/wall_timer.h"
#include "daemon/core/registry.h"
#include "daemon/core/restart_times.h"

namespace slc {

class Schedules {
 public:
  struct Hands {
    // `occasion`: which time it is, for people.
    std::function<void(ServiceId id, const std::string& occasion)> restart;
    std::function<void(ServiceId id, JournalRecord record)> on_record;
  };
  // `registry` and `disk` outlive this.
  Schedules(uv::Loop& loop, const Registry& registry, uv::DiskThread& disk, Hands hands);

  // Takes up all services. Times after `since` that have passed are due, or missed: slcd was not
  // there. Before, Settle() does nothing.
  void Begin(Millis since);
  // The wish may have changed, or is gone.
  void Settle(ServiceId id);
  // Fills in the next time, or why there is none.
  void Describe(ServiceView& view) const;

 private:
  struct Entry {
    std::string text;     // of the expression
    Millis since = 0;     // see RestartTimes::Set; as long as it is not known there
    bool known = false;   // to times_
    std::string trouble;  // why its zone cannot be read
  };
  void Load(ServiceId id);
  void Loaded(ServiceId id, const std::string& text, const Result<CronSchedule>& schedule,
              const Result<TimeZone>& zone);
  void OnTime();
  void Pass();
  void RestartNext();
  void Miss(const DueRestart& due);
  void Arm();
  std::string TextOf(ServiceId id, Millis wall) const;

  const Registry& registry_;
  uv::DiskThread& disk_;
  const Hands hands_;
  std::map<ServiceId, Entry> entries_;
  RestartTimes times_;
  bool begun_ = false;
  uv::WallTimer timer_;
  uv::Timer again_;
  std::deque<std::pair<ServiceId, std::string>> waiting_;  // are due, and on which occasion
  uv::Timer apart_;
};

}  // namespace slc
