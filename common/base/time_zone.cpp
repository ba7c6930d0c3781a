#include "common/base/time_zone.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "common/base/calendar.h"

namespace slc {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kHour = 3600;

// -----------------------------------------------------------------------------------------------
// a rule of POSIX

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  bool Take(char wanted) {
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool TakeName() {
    std::size_t length = 0;
    if (Take('<')) {
      while (length < rest_.size() && rest_[length] != '>') {
        const char c = rest_[length];
        if (!IsLetter(c) && !IsDigit(c) && c != '+' && c != '-') return false;
        ++length;
      }
      rest_.remove_prefix(length);
      return length >= 3 && Take('>');
    }
    while (length < rest_.size() && IsLetter(rest_[length])) ++length;
    rest_.remove_prefix(length);
    return length >= 3;
  }
  std::optional<int> TakeNumber(int low, int high) {
    int value = 0;
    std::size_t length = 0;
    for (; length < rest_.size() && length < 3 && IsDigit(rest_[length]); ++length) {
      value = value * 10 + (rest_[length] - '0');
    }
    rest_.remove_prefix(length);
    if (length == 0 || value < low || value > high) return std::nullopt;
    return value;
  }
  // [+-]hh[:mm[:ss]], in seconds.
  std::optional<std::int64_t> TakeTime(int most_hours) {
    const bool minus = Take('-');
    if (!minus) Take('+');
    const auto hours = TakeNumber(0, most_hours);
    if (!hours) return std::nullopt;
    std::int64_t seconds = *hours * kHour;
    for (const int unit : {60, 1}) {
      if (!Take(':')) break;
      const auto part = TakeNumber(0, 59);
      if (!part) return std::nullopt;
      seconds += std::int64_t{*part} * unit;
    }
    return minus ? -seconds : seconds;
  }
  std::optional<ZoneRule::Day> TakeDay() {
    ZoneRule::Day day;
    std::optional<int> number;
    if (Take('M')) {
      const auto month = TakeNumber(1, 12);
      if (!month || !Take('.')) return std::nullopt;
      const auto week = TakeNumber(1, 5);
      if (!week || !Take('.')) return std::nullopt;
      day.month = *month;
      day.week = *week;
      number = TakeNumber(0, 6);
    } else if (Take('J')) {
      day.kind = ZoneRule::Day::Kind::kJulian;
      number = TakeNumber(1, 365);
    } else {
      day.kind = ZoneRule::Day::Kind::kZeroBased;
      number = TakeNumber(0, 365);
    }
    if (!number) return std::nullopt;
    day.day = *number;
    if (!Take('/')) return day;
    constexpr int kMostHours = 167;
    const auto second = TakeTime(kMostHours);
    if (!second) return std::nullopt;
    day.second = *second;
    return day;
  }

 private:
  std::string_view rest_;
};

// The local time of `day` in `year`, as if it were UTC.
std::int64_t LocalTimeOf(const ZoneRule::Day& day, std::int64_t year) {
  const std::int64_t new_year = DaysFromCivil({year, 1, 1});
  std::int64_t days = new_year + day.day;
  if (day.kind == ZoneRule::Day::Kind::kJulian) {
    // February 29 is never counted: 60 is March 1 of every year.
    constexpr int kMarchFirst = 60;
    days = new_year + day.day - 1 + (IsLeapYear(year) && day.day >= kMarchFirst ? 1 : 0);
  } else if (day.kind == ZoneRule::Day::Kind::kWeekday) {
    const std::int64_t first = DaysFromCivil({year, day.month, 1});
    const int ahead = (day.day - WeekdayOf(first) + 7) % 7;
    std::int64_t in_month = ahead + std::int64_t{7} * (day.week - 1);
    if (in_month >= DaysIn(year, day.month)) in_month -= 7;
    days = first + in_month;
  }
  return days * kDay + day.second;
}

// ------------------------------------------------------------------------------------------------
// a zone file

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  std::size_t left() const { return rest_.size(); }
  std::string_view Take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // Big-endian with a sign; the bytes are there.
  std::int64_t TakeInteger(std::size_t size) {
    std::uint64_t value = 0;
    const std::string_view bytes = Take(size);
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return size == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
  }

 private:
  std::string_view rest_;
};

struct Header {
  char version = 0;
  std::size_t utc_marks = 0;
  std::size_t standard_marks = 0;
  std::size_t leaps = 0;
  std::size_t times = 0;
  std::size_t types = 0;
  std::size_t characters = 0;

  std::size_t DataSize(std::size_t time_size) const {
    return times * (time_size + 1) + types * 6 + characters + leaps * (time_size + 4) +
           standard_marks + utc_marks;
  }
};

std::optional<Header> TakeHeader(Bytes& bytes) {
  constexpr std::size_t kHeaderSize = 44;
  constexpr std::int64_t kMost = 100'000;  // the largest there is has some hundred
  if (bytes.left() < kHeaderSize || bytes.Take(4) != "TZif") return std::nullopt;
  Header header;
  header.version = bytes.Take(1)[0];
  bytes.Take(15);
  for (std::size_t* count : {&header.utc_marks, &header.standard_marks, &header.leaps,
                             &header.times, &header.types, &header.characters}) {
    const std::int64_t value = bytes.TakeInteger(4);
    if (value < 0 || value > kMost) return std::nullopt;
    *count = static_cast<std::size_t>(value);
  }
  return header;
}

Error Broken(const char* what) {
  return Error{ErrorCode::kInvalid, std::string("not a usable time zone file: ") + what};
}

}  // namespace

std::optional<ZoneRule> ZoneRule::Parse(std::string_view text) {
  constexpr int kMostHours = 24;
  RuleReader reader(text);
  ZoneRule rule;
  if (!reader.TakeName()) return std::nullopt;
  const auto standard = reader.TakeTime(kMostHours);
  if (!standard) return std::nullopt;
  // POSIX counts westwards.
  rule.standard_ = -*standard;
  if (reader.AtEnd()) return rule;
  if (!reader.TakeName()) return std::nullopt;
  rule.summer_ = rule.standard_ + kHour;
  RuleReader ahead = reader;
  if (!ahead.AtEnd() && !ahead.Take(',')) {
    const auto summer = reader.TakeTime(kMostHours);
    if (!summer) return std::nullopt;
    rule.summer_ = -*summer;
  }
  if (reader.AtEnd()) {
    // Where nothing is said it is the rule of the United States, as in the C library.
    rule.begin_ = Day{Day::Kind::kWeekday, 3, 2, 0};
    rule.end_ = Day{Day::Kind::kWeekday, 11, 1, 0};
    return rule;
  }
  if (!reader.Take(',')) return std::nullopt;
  const auto begin = reader.TakeDay();
  if (!begin || !reader.Take(',')) return std::nullopt;
  const auto end = reader.TakeDay();
  if (!end || !reader.AtEnd()) return std::nullopt;
  rule.begin_ = *begin;
  rule.end_ = *end;
  return rule;
}

ZoneRule::Span ZoneRule::At(std::int64_t time) const {
  if (!summer_) return Span{TimeZone::kSinceEver, TimeZone::kForever, standard_};
  struct Turn {
    std::int64_t at;
    bool summer;
  };
  const std::int64_t year = CivilFromDays(FloorDivide(time, kDay)).year;
  std::array<Turn, 10> turns{};
  std::size_t count = 0;
  // The hour of a change may be a week off its day, and be in another year.
  for (std::int64_t each = year - 2; each <= year + 2; ++each) {
    turns[count++] = Turn{LocalTimeOf(end_, each) - *summer_, false};
    turns[count++] = Turn{LocalTimeOf(begin_, each) - standard_, true};
  }
  // Where summer begins when it ends, it goes on.
  std::stable_sort(turns.begin(), turns.end(), [](const Turn& one, const Turn& other) {
    return one.at != other.at ? one.at < other.at : one.summer < other.summer;
  });
  const auto next =
      std::upper_bound(turns.begin(), turns.end(), time,
                       [](std::int64_t at, const Turn& turn) { return at < turn.at; });
  const auto last = next - 1;
  return Span{last->at, next->at, last->summer ? *summer_ : standard_};
}

Result<TimeZone> TimeZone::FromRule(std::string_view text) {
  TimeZone zone;
  zone.rule_ = ZoneRule::Parse(text);
  if (!zone.rule_) {
    return Error{ErrorCode::kInvalid, "'" + std::string(text) + "' is no rule of a time zone"};
  }
  zone.first_offset_ = zone.rule_->At(kSinceEver / 4).offset;
  return zone;
}

Result<TimeZone> TimeZone::Parse(std::string_view text) {
  Bytes bytes(text);
  std::size_t time_size = 4;
  auto header = TakeHeader(bytes);
  if (!header) return Broken("it does not begin as one");
  if (header->version >= '2') {
    // What follows says the same again, in times of 64 bits.
    if (bytes.left() < header->DataSize(4)) return Broken("it is cut off");
    bytes.Take(header->DataSize(4));
    header = TakeHeader(bytes);
    if (!header) return Broken("its second half does not begin as one");
    time_size = 8;
  }
  if (bytes.left() < header->DataSize(time_size)) return Broken("it is cut off");
  if (header->types == 0) return Broken("it has no offset");
  if (header->leaps > 0) return Broken("it counts leap seconds, which the system's clock does not");

  // Far beyond what is used, and no sum overflows.
  constexpr std::int64_t kFarthest = std::int64_t{1} << 59;
  constexpr std::int64_t kLargestOffset = 26 * kHour;
  TimeZone zone;
  for (std::size_t i = 0; i < header->times; ++i) {
    const std::int64_t at = bytes.TakeInteger(time_size);
    if (at < -kFarthest || at > kFarthest) return Broken("it has a time beyond all years");
    if (i > 0 && at <= zone.changes_.back().at) return Broken("its times are not in order");
    zone.changes_.push_back(Change{at, 0});
  }
  const std::string_view types = bytes.Take(header->times);
  std::vector<std::int64_t> offsets;
  for (std::size_t i = 0; i < header->types; ++i) {
    offsets.push_back(bytes.TakeInteger(4));
    bytes.Take(2);
    if (std::abs(offsets.back()) >= kLargestOffset) return Broken("it has an offset beyond a day");
  }
  zone.first_offset_ = offsets[0];
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::size_t type = static_cast<unsigned char>(types[i]);
    if (type >= offsets.size()) return Broken("it names an offset that it has not");
    zone.changes_[i].offset = offsets[type];
  }
  if (time_size == 4) return zone;
  bytes.Take(header->characters + header->standard_marks + header->utc_marks);
  std::string_view footer = bytes.Take(bytes.left());
  if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') {
    return Broken("it is cut off");
  }
  footer = footer.substr(1, footer.size() - 2);
  if (footer.empty()) return zone;
  zone.rule_ = ZoneRule::Parse(footer);
  if (!zone.rule_) return Broken("its last rule is none");
  return zone;
}

TimeZone::Span TimeZone::At(std::int64_t time) const {
  const auto next =
      std::upper_bound(changes_.begin(), changes_.end(), time,
                       [](std::int64_t at, const Change& change) { return at < change.at; });
  if (next != changes_.end() || !rule_) {
    const bool first = next == changes_.begin();
    return Span{first ? kSinceEver : (next - 1)->at, next == changes_.end() ? kForever : next->at,
                first ? first_offset_ : (next - 1)->offset};
  }
  Span span = rule_->At(time);
  if (!changes_.empty()) span.begin = std::max(span.begin, changes_.back().at);
  return span;
}

std::string TimeZone::Format(Millis wall) const {
  const std::int64_t offset = At(FloorDivide(wall, 1000)).offset;
  std::string text = FormatIso(wall + offset * 1000).substr(0, 19);
  const std::int64_t minutes = std::abs(offset) / 60;
  const auto two = [](std::int64_t number) {
    return std::string{static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
  };
  return text + (offset < 0 ? "-" : "+") + two(minutes / 60) + ":" + two(minutes % 60);
}

}  // namespace slc
