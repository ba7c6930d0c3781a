#include "daemon/schedules.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/zone_files.h"

namespace slc {
namespace {

constexpr Millis kTryAgain = 10'000;
// Between two services whose times are the same: hundreds of successors that boot at once would
// take the machine's memory twice.
constexpr Millis kApart = 1'000;

}  // namespace

Schedules::Schedules(uv::Loop& loop, const Registry& registry, uv::DiskThread& disk, Hands hands)
    : registry_(registry),
      disk_(disk),
      hands_(std::move(hands)),
      timer_(loop, [this] { OnTime(); }),
      again_(loop, [this] { OnTime(); }),
      apart_(loop, [this] { RestartNext(); }) {}

void Schedules::Begin(Millis since) {
  begun_ = true;
  for (const auto& [id, wish] : registry_.wishes()) {
    Settle(id);
    const auto entry = entries_.find(id);
    if (entry != entries_.end() && since > 0) entry->second.since = std::min(since, WallNow());
  }
}

void Schedules::Settle(ServiceId id) {
  if (!begun_) return;
  const Wish* wish = registry_.Get(id);
  const bool wanted =
      wish != nullptr && wish->run && !wish->removing && !wish->spec.restart_at.empty();
  const auto found = entries_.find(id);
  if (found != entries_.end() && wanted && found->second.text == wish->spec.restart_at) return;
  times_.Clear(id);
  if (found != entries_.end()) entries_.erase(found);
  if (wanted) {
    entries_[id] = Entry{wish->spec.restart_at, WallNow(), false, {}};
    Load(id);
  }
  Arm();
}

void Schedules::Load(ServiceId id) {
  struct Found {
    Result<CronSchedule> schedule;
    Result<TimeZone> zone;
  };
  const std::string text = entries_.at(id).text;
  auto found = std::make_shared<Found>(Found{CronSchedule::Parse(text), TimeZone()});
  // Here and not there: the environment is the loop's.
  const char* variable = std::getenv("TZ");
  const std::optional<std::string> local =
      variable != nullptr ? std::optional<std::string>(variable) : std::nullopt;
  disk_.Run(
      [found, local] {
        if (!found->schedule) return;
        const std::string& name = found->schedule->zone();
        found->zone =
            name.empty() ? LoadLocalTimeZone(local ? local->c_str() : nullptr) : LoadTimeZone(name);
      },
      [this, id, text, found] { Loaded(id, text, found->schedule, found->zone); });
}

void Schedules::Loaded(ServiceId id, const std::string& text, const Result<CronSchedule>& schedule,
                       const Result<TimeZone>& zone) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.text != text) return;
  Entry& entry = found->second;
  if (!schedule || !zone) {
    const std::string trouble = schedule ? zone.error().message : schedule.error().message;
    if (entry.trouble != trouble) {
      entry.trouble = trouble;
      JournalRecord record;
      record.kind = "schedule_trouble";
      record.text = trouble;
      hands_.on_record(id, std::move(record));
    }
    // A zone that was known stays in force.
    again_.StartIn(kTryAgain);
    return;
  }
  entry.trouble.clear();
  if (std::exchange(entry.known, true)) {
    times_.SetZone(id, *zone);
  } else {
    times_.Set(id, *schedule, *zone, entry.since);
  }
  // What is over when it is taken up is due, or missed.
  const auto next = times_.NextOf(id);
  if (next && *next <= WallNow()) return Pass();
  Arm();
}

void Schedules::OnTime() {
  Pass();
  std::vector<ServiceId> all;
  for (const auto& [id, entry] : entries_) all.push_back(id);
  for (const ServiceId id : all) Load(id);
}

void Schedules::Pass() {
  for (const DueRestart& due : times_.Pass(WallNow())) {
    if (due.missed) {
      Miss(due);
    } else {
      waiting_.emplace_back(due.id, "due " + TextOf(due.id, due.due));
    }
  }
  if (!apart_.active()) RestartNext();
  Arm();
}

void Schedules::RestartNext() {
  while (!waiting_.empty()) {
    const auto [id, occasion] = std::move(waiting_.front());
    waiting_.pop_front();
    // Stopped, removed, or without times since.
    if (entries_.count(id) == 0) continue;
    apart_.StartIn(kApart);
    return hands_.restart(id, occasion);
  }
}

void Schedules::Miss(const DueRestart& due) {
  JournalRecord record;
  record.kind = "schedule_missed";
  record.text = "due " + TextOf(due.id, due.due) + ", which was over by " +
                FormatSpan(WallNow() - due.due) +
                " when slcd could look: it was not running, the machine slept, or the clock was "
                "set; it is not made up for";
  if (const auto next = times_.NextOf(due.id)) record.text += "; next " + TextOf(due.id, *next);
  hands_.on_record(due.id, std::move(record));
}

void Schedules::Arm() {
  const auto deadline = times_.deadline();
  if (!deadline) return timer_.Stop();
  const Status armed = timer_.StartAt(*deadline);
  if (armed) return;
  log::Warn("--restart-at: " + armed.error().message + "; trying again");
  again_.StartIn(kTryAgain);
}

std::string Schedules::TextOf(ServiceId id, Millis wall) const {
  const TimeZone* zone = times_.ZoneOf(id);
  return zone != nullptr ? zone->Format(wall) : FormatIso(wall);
}

void Schedules::Describe(ServiceView& view) const {
  const auto found = entries_.find(view.id);
  if (found == entries_.end()) return;
  view.schedule_trouble = found->second.trouble;
  const auto next = times_.NextOf(view.id);
  if (!next) return;
  view.next_restart = *next;
  view.next_restart_text = TextOf(view.id, *next);
}

}  // namespace slc
