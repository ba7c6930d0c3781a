// The proleptic Gregorian calendar, in days since 1970-01-01. Pure.
#pragma once

#include <cstdint>

namespace slc {

struct Civil {
  std::int64_t year = 1970;
  int month = 1;  // 1..12
  int day = 1;    // 1..31
};

std::int64_t DaysFromCivil(const Civil& date);
Civil CivilFromDays(std::int64_t days);
// 0: Sunday
int WeekdayOf(std::int64_t days);
bool IsLeapYear(std::int64_t year);
int DaysIn(std::int64_t year, int month);
// Rounds down, as dates before 1970 need it.
std::int64_t FloorDivide(std::int64_t number, std::int64_t by);

}  // namespace slc
