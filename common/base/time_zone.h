// TimeZone: what a local clock shows at a time, by the rules of one place. Pure: read from the
// bytes of a compiled zone file (TZif, RFC 8536) or from a rule as POSIX has it in TZ.
//
// Times are seconds since 1970, as the system's clock counts them.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc {

// A rule for all years: "CET-1CEST,M3.5.0,M10.5.0/3".
class ZoneRule {
 public:
  static std::optional<ZoneRule> Parse(std::string_view text);

  struct Day {
    enum class Kind { kWeekday, kJulian, kZeroBased } kind = Kind::kWeekday;
    int month = 0;
    int week = 0;  // 5: the last
    int day = 0;   // of the week, 0: Sunday; or of the year
    std::int64_t second = 7200;
  };
  // The local clock is `offset` ahead of UTC from `begin` until before `end`.
  struct Span {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t offset = 0;
  };
  Span At(std::int64_t time) const;

 private:
  std::int64_t standard_ = 0;
  std::optional<std::int64_t> summer_;
  Day begin_;  // of summer
  Day end_;
};

class TimeZone {
 public:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kSinceEver = std::numeric_limits<std::int64_t>::min();

  // UTC.
  TimeZone() = default;
  // kInvalid if the bytes are no zone file, or one that counts leap seconds ("right/...").
  static Result<TimeZone> Parse(std::string_view bytes);
  static Result<TimeZone> FromRule(std::string_view text);

  using Span = ZoneRule::Span;
  // Spans that follow each other may have one offset; `begin` may be kSinceEver, `end` kForever.
  Span At(std::int64_t time) const;
  // "2026-11-27T04:00:00+01:00"
  std::string Format(Millis wall) const;

 private:
  struct Change {
    std::int64_t at = 0;
    std::int64_t offset = 0;  // from then on
  };
  std::int64_t first_offset_ = 0;
  std::vector<Change> changes_;   // in order
  std::optional<ZoneRule> rule_;  // after the last of them
};

}  // namespace slc
