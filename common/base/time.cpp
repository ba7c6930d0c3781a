#include "common/base/time.h"

#include <time.h>

#include <array>
#include <cstdio>
#include <limits>
#include <string_view>

#include "common/base/calendar.h"
#include "common/base/text.h"

namespace slc {
namespace {

Millis Now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return Millis{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

// How many digits `text` begins with.
std::size_t CountDigits(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  return digits;
}

}  // namespace

Millis BootNow() { return Now(CLOCK_BOOTTIME); }
Millis WallNow() { return Now(CLOCK_REALTIME); }

std::string FormatIso(Millis wall) {
  // Not gmtime_r: it reads /etc/localtime when it is first called, and takes a lock each time.
  constexpr Millis kDay = 86400000;
  const Civil date = CivilFromDays(FloorDivide(wall, kDay));
  const Millis rest = (wall % kDay + kDay) % kDay;
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&text](std::size_t at, std::size_t digits, std::int64_t number) {
    for (std::size_t i = digits; i-- > 0; number /= 10) {
      text[at + i] = static_cast<char>('0' + number % 10);
    }
  };
  put(0, 4, date.year);
  put(5, 2, date.month);
  put(8, 2, date.day);
  put(11, 2, rest / 3600000);
  put(14, 2, rest / 60000 % 60);
  put(17, 2, rest / 1000 % 60);
  put(20, 3, rest % 1000);
  return text;
}

Millis ParseIso(const std::string& text) {
  std::string_view rest = text;
  const auto take = [&](char wanted) {
    if (rest.empty() || rest[0] != wanted) return false;
    rest.remove_prefix(1);
    return true;
  };
  const auto number = [&](std::size_t digits, int& value) {
    if (rest.size() < digits || CountDigits(rest.substr(0, digits)) < digits) return false;
    value = static_cast<int>(*ParseInteger(rest.substr(0, digits), 0, 9999));
    rest.remove_prefix(digits);
    return true;
  };
  const auto ends = [&] { return rest.empty() || rest == "Z"; };
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int milli = 0;
  if (!number(4, year) || !take('-') || !number(2, month) || !take('-') || !number(2, day))
    return -1;
  if (!ends()) {
    if (!take('T') || !number(2, hour) || !take(':') || !number(2, minute)) return -1;
    if (!ends() && (!take(':') || !number(2, second))) return -1;
    if (!ends()) {
      if (!take('.')) return -1;
      // As many digits as there are; what is finer than a millisecond is cut off.
      const std::size_t digits = CountDigits(rest);
      if (digits == 0) return -1;
      for (std::size_t i = 0; i < 3; ++i) milli = milli * 10 + (i < digits ? rest[i] - '0' : 0);
      rest.remove_prefix(digits);
    }
  }
  if (!ends() || month < 1 || month > 12 || day < 1 || day > DaysIn(year, month) || hour > 23 ||
      minute > 59 || second > 59) {
    return -1;
  }
  const std::int64_t days = DaysFromCivil({year, month, day});
  return ((days * 24 + hour) * 60 + minute) * 60000 + Millis{second} * 1000 + milli;
}

Millis ParseDuration(const std::string& text) {
  const std::size_t digits = CountDigits(text);
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
