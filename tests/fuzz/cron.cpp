// An expression of --restart-at, and the time zone it goes by: a line each, the zone as POSIX has
// it in TZ or, where it is none, the bytes of a zone file.
#include "common/base/cron.h"

#include "common/base/time_zone.h"
#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

constexpr std::int64_t kYear = 365 * 86400;

void CheckZone(const TimeZone& zone) {
  for (std::int64_t time : {-100 * kYear, -kYear, std::int64_t{0}, 56 * kYear, 300 * kYear}) {
    for (int i = 0; i < 4; ++i) {
      const TimeZone::Span span = zone.At(time);
      fuzz::Check(span.begin <= time && time < span.end, "a time lies in its span");
      if (span.end == TimeZone::kForever) break;
      fuzz::Check(zone.At(span.end - 1).offset == span.offset, "a span has one offset");
      time = span.end;
    }
  }
}

}  // namespace
}  // namespace slc

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const std::string text = fuzz::Text(data, size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view rest = std::string_view(text).substr(std::min(end + 1, text.size()));
  auto zone = TimeZone::FromRule(rest.substr(0, rest.find('\n')));
  if (!zone) zone = TimeZone::Parse(rest);
  if (zone) CheckZone(*zone);
  const auto schedule = CronSchedule::Parse(text.substr(0, end));
  if (!schedule) return 0;
  const TimeZone by = zone ? *zone : TimeZone();
  Millis time = 56 * kYear * 1000;
  for (int i = 0; i < 3; ++i) {
    const auto next = schedule->Next(time, by);
    if (!next) break;
    fuzz::Check(*next > time, "the next time is later");
    fuzz::Check(schedule->Next(*next - 1, by) == next, "it is the next one just before it, too");
    time = *next;
  }
  return 0;
}
