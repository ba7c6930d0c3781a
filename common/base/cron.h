// CronSchedule: the times that an expression of cron names, "0 4 * * *". Pure.
//
//   minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or jan-dec, day of the week 0-7 or
//   sun-sat (0 and 7: Sunday); each *, N, N-N, with /STEP behind a range or *, or a list of these.
//   @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually
//   CRON_TZ=Europe/Berlin in front says whose clock; without it is for the caller to say
//
// If neither field of days begins with *, a day that fits one of them will do, else it must fit
// both, as cron has it.
//
// When the clock is put forward, times that it leaves out come at that moment, once; when it is put
// back, times that it shows twice come the first time only. A schedule of every hour needs no such
// care: it goes by what the clock shows.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/time_zone.h"

namespace slc {

class CronSchedule {
 public:
  // kInvalid with a message that names the field and what is allowed in it; also for what never
  // comes, such as February 30. Whether the zone exists is not looked at.
  static Result<CronSchedule> Parse(std::string_view text);

  // The zone's name; empty if the expression has none.
  const std::string& zone() const { return zone_; }
  // The first time after `after`, both wall. Nothing if that is beyond kHorizon.
  std::optional<Millis> Next(Millis after, const TimeZone& zone) const;
  // February 29 on a given weekday, over a year such as 2100.
  static constexpr std::int64_t kHorizon = std::int64_t{45} * 366 * 86400;  // s

 private:
  CronSchedule() = default;
  bool ComesOn(std::int64_t day) const;
  bool ComesAtAll() const;
  // The first local time within [from, end); seconds, as if it were UTC.
  std::optional<std::int64_t> Find(std::int64_t from, std::int64_t end) const;

  std::string zone_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;      // 1..31
  std::bitset<13> months_;    // 1..12
  std::bitset<8> weekdays_;   // 0..6
  bool any_of_days_ = false;  // a day must fit one of days_ and weekdays_, not both
};

}  // namespace slc
