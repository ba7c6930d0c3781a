#include "common/base/cron.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "common/base/calendar.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kDay = 86400;

struct Field {
  const char* name;
  int low;
  int high;
  const char* allowed;
  std::vector<std::string> names;  // of `first_name` and what follows
  int first_name = 0;
};

const std::array<Field, 5>& Fields() {
  static const std::array<Field, 5> kFields{{
      {"minute", 0, 59, "0-59", {}},
      {"hour", 0, 23, "0-23", {}},
      {"day of the month", 1, 31, "1-31", {}},
      {"month",
       1,
       12,
       "1-12 or jan-dec",
       {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
       1},
      {"day of the week",
       0,
       7,
       "0-7 (0 and 7: Sunday) or sun-sat",
       {"sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"},
       0},
  }};
  return kFields;
}

Error Wrong(const Field& field, std::string_view text, const std::string& why) {
  return Error{ErrorCode::kInvalid, std::string(field.name) + ": '" + Printable(text) + "' " + why};
}

Error WrongValue(const Field& field, std::string_view text) {
  return Wrong(field, text,
               std::string("is none of ") + field.allowed +
                   ", nor * or a list (1,5), range (1-5) or step (*/5, 10-50/5) of these");
}

// `end`: it is the end of a range, where "sun" comes after "sat".
std::optional<int> ReadValue(const Field& field, std::string_view text, bool end) {
  if (const auto number = ParseInteger(text, field.low, field.high)) {
    const bool plain = text[0] != '-';
    return plain ? std::optional(static_cast<int>(*number)) : std::nullopt;
  }
  std::string word(text);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::optional<int> found;
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (field.names[i] != word || (found && !end)) continue;
    found = field.first_name + static_cast<int>(i);
  }
  return found;
}

template <std::size_t N>
Status ReadItem(const Field& field, std::string_view item, std::bitset<N>& set) {
  std::string_view range = item;
  std::int64_t step = 1;
  const std::size_t slash = item.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view text = item.substr(slash + 1);
    const auto given = ParseInteger(text, 1, field.high);
    if (!given) {
      return Wrong(field, item, "needs a step of 1 to " + std::to_string(field.high) + " behind /");
    }
    step = *given;
    range = item.substr(0, slash);
  }
  int low = field.low;
  int high = field.high;
  if (range != "*") {
    const std::size_t dash = range.find('-', 1);
    const bool is_range = dash != std::string_view::npos;
    const auto first = ReadValue(field, range.substr(0, dash), false);
    if (!first) return WrongValue(field, item);
    if (!is_range && slash != std::string_view::npos) {
      return Wrong(field, item,
                   "has a step without a range; write " + std::string(range) + "-" +
                       std::to_string(field.high) + std::string(item.substr(slash)));
    }
    const auto last = is_range ? ReadValue(field, range.substr(dash + 1), true) : first;
    if (!last) return WrongValue(field, item);
    low = *first;
    high = *last;
    if (low > high) {
      return Wrong(field, item, "runs backwards; write it as two ranges, one,other");
    }
  }
  for (std::int64_t value = low; value <= high; value += step) {
    // Sunday has two numbers.
    const bool sunday = field.high == 7 && value == 7;
    set.set(sunday ? 0 : static_cast<std::size_t>(value));
  }
  return Ok();
}

template <std::size_t N>
Status ReadField(const Field& field, std::string_view text, std::bitset<N>& set) {
  for (const std::string& item : Split(text, ',')) {
    if (item.empty()) return WrongValue(field, text);
    if (Status read = ReadItem(field, item, set); !read) return read;
  }
  return Ok();
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != ' ' && c != '\t') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

Result<std::vector<std::string>> Expand(const std::string& macro) {
  static const std::array<std::pair<const char*, const char*>, 7> kMacros{{
      {"@hourly", "0 * * * *"},
      {"@daily", "0 0 * * *"},
      {"@midnight", "0 0 * * *"},
      {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"},
      {"@yearly", "0 0 1 1 *"},
      {"@annually", "0 0 1 1 *"},
  }};
  std::vector<std::string> names;
  for (const auto& [name, expression] : kMacros) {
    if (macro == name) return Words(expression);
    names.emplace_back(name);
  }
  return Error{ErrorCode::kInvalid, "'" + Printable(macro) + "' is none of " + Join(names, ", ")};
}

}  // namespace

Result<CronSchedule> CronSchedule::Parse(std::string_view text) {
  constexpr std::size_t kLongest = 512;
  if (text.size() > kLongest) {
    return Error{ErrorCode::kInvalid,
                 "an expression has at most " + std::to_string(kLongest) + " bytes"};
  }
  CronSchedule schedule;
  std::vector<std::string> words = Words(text);
  constexpr std::string_view kZone = "CRON_TZ=";
  if (!words.empty() && StartsWith(words[0], kZone)) {
    schedule.zone_ = words[0].substr(kZone.size());
    if (schedule.zone_.empty()) {
      return Error{ErrorCode::kInvalid, "CRON_TZ= needs a time zone, such as Europe/Berlin"};
    }
    words.erase(words.begin());
  }
  if (words.size() == 1 && words[0][0] == '@') {
    auto expanded = Expand(words[0]);
    if (!expanded) return expanded.error();
    words = std::move(*expanded);
  }
  const auto& fields = Fields();
  if (words.size() != fields.size()) {
    return Error{ErrorCode::kInvalid,
                 std::to_string(words.size()) + (words.size() == 1 ? " field" : " fields") +
                     " instead of five: minute, hour, day of the month, month, day of the week, "
                     "as in '0 4 * * *'"};
  }
  for (const Status& read : {ReadField(fields[0], words[0], schedule.minutes_),
                             ReadField(fields[1], words[1], schedule.hours_),
                             ReadField(fields[2], words[2], schedule.days_),
                             ReadField(fields[3], words[3], schedule.months_),
                             ReadField(fields[4], words[4], schedule.weekdays_)}) {
    if (!read) return read.error();
  }
  schedule.any_of_days_ = words[2][0] != '*' && words[4][0] != '*';
  if (!schedule.ComesAtAll()) {
    return Error{ErrorCode::kInvalid, "day of the month: '" + Printable(words[2]) +
                                          "' never comes in month '" + Printable(words[3]) + "'"};
  }
  return schedule;
}

bool CronSchedule::ComesAtAll() const {
  if (any_of_days_) return true;
  constexpr int kLeapYear = 2000;
  for (int month = 1; month <= 12; ++month) {
    for (int day = 1; months_[static_cast<std::size_t>(month)] && day <= DaysIn(kLeapYear, month);
         ++day) {
      if (days_[static_cast<std::size_t>(day)]) return true;
    }
  }
  return false;
}

bool CronSchedule::ComesOn(std::int64_t day) const {
  const Civil date = CivilFromDays(day);
  if (!months_[static_cast<std::size_t>(date.month)]) return false;
  const bool in_month = days_[static_cast<std::size_t>(date.day)];
  const bool in_week = weekdays_[static_cast<std::size_t>(WeekdayOf(day))];
  return any_of_days_ ? in_month || in_week : in_month && in_week;
}

std::optional<std::int64_t> CronSchedule::Find(std::int64_t from, std::int64_t end) const {
  // Up to a full minute.
  from = -FloorDivide(-from, kMinute) * kMinute;
  for (std::int64_t day = FloorDivide(from, kDay); day * kDay < end; ++day, from = day * kDay) {
    if (!ComesOn(day)) continue;
    const std::int64_t first = (from - day * kDay) / kMinute;
    for (auto minute = static_cast<std::size_t>(first); minute < kDay / kMinute; ++minute) {
      if (!hours_[minute / 60] || !minutes_[minute % 60]) continue;
      const std::int64_t at = day * kDay + static_cast<std::int64_t>(minute) * kMinute;
      return at < end ? std::optional(at) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Millis> CronSchedule::Next(Millis after, const TimeZone& zone) const {
  // Longer than any clock was ever put back.
  constexpr std::int64_t kLongestTurn = 2 * kDay;
  std::int64_t time = FloorDivide(after, 1000) + 1;
  const std::int64_t horizon = time + kHorizon;
  const bool every_hour = hours_.all();
  TimeZone::Span span = zone.At(time);
  // The latest that the clock has shown.
  std::int64_t shown = TimeZone::kSinceEver;
  for (std::int64_t begin = span.begin; !every_hour && begin > time - kLongestTurn;) {
    const TimeZone::Span before = zone.At(begin - 1);
    shown = std::max(shown, begin + before.offset);
    begin = before.begin;
  }
  while (time <= horizon) {
    const std::int64_t end = std::min(span.end, horizon + 1);
    const auto found = Find(std::max(time + span.offset, shown), end + span.offset);
    if (found) return (*found - span.offset) * 1000;
    if (end < span.end) break;
    const TimeZone::Span next = zone.At(span.end);
    if (!every_hour) {
      shown = std::max(shown, span.end + span.offset);
      if (Find(shown, span.end + next.offset)) return span.end * 1000;
    }
    time = span.end;
    span = next;
  }
  return std::nullopt;
}

}  // namespace slc
