#include "common/base/time.h"

#include <time.h>

#include <array>
#include <cstdio>
#include <limits>

#include "common/base/text.h"

namespace slc {
namespace {

Millis Now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return Millis{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

// Proleptic Gregorian calendar: days since 1970-01-01.
std::int64_t DaysFromCivil(std::int64_t year, int month, int day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

}  // namespace

Millis BootNow() { return Now(CLOCK_BOOTTIME); }
Millis WallNow() { return Now(CLOCK_REALTIME); }

std::string FormatIso(Millis wall) {
  Millis seconds = wall / 1000;
  Millis rest = wall % 1000;
  if (rest < 0) {
    rest += 1000;
    --seconds;
  }
  const time_t whole = static_cast<time_t>(seconds);
  tm parts{};
  ::gmtime_r(&whole, &parts);
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<int>(rest));
  return buffer.data();
}

Millis ParseIso(const std::string& text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int milli = 0;
  int used = 0;
  const char* input = text.c_str();
  const auto complete = [&] {
    const std::string rest = text.substr(static_cast<std::size_t>(used));
    return rest.empty() || rest == "Z";
  };
  const int fields = std::sscanf(input, "%4d-%2d-%2d%n", &year, &month, &day, &used);
  if (fields != 3) return -1;
  bool whole = complete();
  if (!whole) {
    used = 0;
    if (std::sscanf(input, "%4d-%2d-%2dT%2d:%2d%n", &year, &month, &day, &hour, &minute, &used) ==
            5 &&
        used > 0) {
      whole = complete();
    }
  }
  if (!whole) {
    used = 0;
    if (std::sscanf(input, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute,
                    &second, &used) == 6 &&
        used > 0) {
      whole = complete();
    }
  }
  if (!whole) {
    used = 0;
    if (std::sscanf(input, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%n", &year, &month, &day, &hour, &minute,
                    &second, &milli, &used) != 7 ||
        used == 0 || !complete()) {
      return -1;
    }
  }
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60 || milli < 0) {
    return -1;
  }
  const std::int64_t days = DaysFromCivil(year, month, day);
  return ((days * 24 + hour) * 60 + minute) * 60000 + Millis{second} * 1000 + milli;
}

Millis ParseDuration(const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const auto number = ParseInteger(text.substr(0, digits), 0, 1000000000000);
  if (!number) return -1;
  const std::string unit = text.substr(digits);
  Millis factor = 0;
  if (unit.empty() || unit == "ms") factor = 1;
  if (unit == "s") factor = 1000;
  if (unit == "m" || unit == "min") factor = 60000;
  if (unit == "h") factor = 3600000;
  if (unit == "d") factor = 86400000;
  if (factor == 0 || *number > std::numeric_limits<Millis>::max() / factor) return -1;
  return *number * factor;
}

std::string FormatSpan(Millis span) {
  if (span < 0) span = 0;
  std::array<char, 48> buffer{};
  const Millis seconds = span / 1000;
  if (span < 10000) {
    std::snprintf(buffer.data(), buffer.size(), "%lld.%lld s", static_cast<long long>(seconds),
                  static_cast<long long>(span % 1000 / 100));
  } else if (seconds < 60) {
    std::snprintf(buffer.data(), buffer.size(), "%lld s", static_cast<long long>(seconds));
  } else if (seconds < 3600) {
    std::snprintf(buffer.data(), buffer.size(), "%lldm%llds", static_cast<long long>(seconds / 60),
                  static_cast<long long>(seconds % 60));
  } else if (seconds < 86400) {
    std::snprintf(buffer.data(), buffer.size(), "%lldh%lldm",
                  static_cast<long long>(seconds / 3600),
                  static_cast<long long>(seconds % 3600 / 60));
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%lldd%lldh",
                  static_cast<long long>(seconds / 86400),
                  static_cast<long long>(seconds % 86400 / 3600));
  }
  return buffer.data();
}

}  // namespace slc
