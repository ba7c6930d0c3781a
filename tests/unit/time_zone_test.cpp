#include "common/base/time_zone.h"

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/zone_files.h"
#include "tests/unit/histories.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

// What the C library makes of TZ.
class LibraryZone {
 public:
  explicit LibraryZone(const std::string& zone) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    Set(zone.c_str());
  }
  ~LibraryZone() { Set(before_ ? before_->c_str() : nullptr); }
  LibraryZone(const LibraryZone&) = delete;
  LibraryZone& operator=(const LibraryZone&) = delete;

  static std::int64_t OffsetAt(std::int64_t time) {
    const time_t when = time;
    tm shown{};
    ::localtime_r(&when, &shown);
    return shown.tm_gmtoff;
  }

 private:
  static void Set(const char* zone) {
    if (zone != nullptr) {
      ::setenv("TZ", zone, 1);
    } else {
      ::unsetenv("TZ");
    }
    ::tzset();
  }
  std::optional<std::string> before_;
};

constexpr std::int64_t kYear = 365 * 86400;

// From `first` on: the library misses by a year what a rule says of the years before 1970.
std::string CompareToLibrary(const TimeZone& zone, const std::string& name, std::int64_t first) {
  const LibraryZone library(name);
  Random random(7);
  const auto differs = [&](std::int64_t time) -> std::string {
    const TimeZone::Span span = zone.At(time);
    if (span.begin > time || span.end <= time) return name + ": a span without its own time";
    if (span.offset == LibraryZone::OffsetAt(time)) return {};
    return name + " at " + std::to_string(time) + ": " + std::to_string(span.offset) +
           " instead of " + std::to_string(LibraryZone::OffsetAt(time));
  };
  for (int i = 0; i < 150; ++i) {
    const std::int64_t time = random.Between(first, 400 * kYear);
    const TimeZone::Span span = zone.At(time);
    std::vector<std::int64_t> times{time};
    if (span.begin != TimeZone::kSinceEver) times.insert(times.end(), {span.begin, span.begin - 1});
    if (span.end != TimeZone::kForever) times.insert(times.end(), {span.end, span.end - 1});
    for (const std::int64_t each : times) {
      std::string wrong = differs(each);
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

}  // namespace

TEST_CASE("Time zones: every offset and every change is as the C library has it") {
  REQUIRE_MESSAGE(::access(kZoneFolder, R_OK) == 0, "install tzdata");
  for (const char* name : {"Europe/Berlin",       "Europe/Dublin",
                           "Europe/London",       "America/New_York",
                           "America/Sao_Paulo",   "America/Santiago",
                           "America/Nuuk",        "America/Caracas",
                           "Asia/Kolkata",        "Asia/Kathmandu",
                           "Asia/Tehran",         "Asia/Gaza",
                           "Africa/Casablanca",   "Africa/Monrovia",
                           "Australia/Lord_Howe", "Australia/Adelaide",
                           "Pacific/Apia",        "Pacific/Chatham",
                           "Pacific/Easter",      "Etc/GMT-14",
                           "Antarctica/Troll",    "UTC"}) {
    CAPTURE(name);
    const auto zone = LoadTimeZone(name);
    REQUIRE(zone);
    CHECK(CompareToLibrary(*zone, name, -150 * kYear) == "");
  }
}

TEST_CASE("Time zones: a rule of POSIX is as the C library has it") {
  for (const char* rule :
       {"CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT4,M3.2.0/2:30,M11.1.0", "UTC0", "<+0330>-3:30",
        "AEST-10AEDT,M10.1.0,M4.1.0/3", "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
        "IST-1GMT0,M10.5.0,M3.5.0/1", "ABC3DEF,J60/2,J300/2", "ABC3DEF,59,299/0"}) {
    CAPTURE(rule);
    const auto zone = TimeZone::FromRule(rule);
    REQUIRE(zone);
    CHECK(CompareToLibrary(*zone, rule, 0) == "");
  }
  for (const char* wrong :
       {"", "C", "CET", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J3", "CET-99",
        "CET-1CEST,M3.5.0,M10.5.0/3 ", "<CET-1", "CET-1:60", "CET-1CEST,366,2"}) {
    CAPTURE(wrong);
    CHECK_FALSE(TimeZone::FromRule(wrong));
  }
  // Where the days are left out they are those of the United States.
  const auto left_out = TimeZone::FromRule("EST5EDT");
  const auto written = TimeZone::FromRule("EST5EDT,M3.2.0,M11.1.0");
  REQUIRE(left_out);
  for (std::int64_t hour = 0; hour < std::int64_t{3} * 366 * 24; ++hour) {
    REQUIRE(left_out->At(hour * 3600).offset == written->At(hour * 3600).offset);
  }
  // Summer for ever, written as POSIX can.
  const auto always = TimeZone::FromRule("XXX3EDT4,0/0,J365/23");
  REQUIRE(always);
  for (std::int64_t day = 0; day < 800; ++day) CHECK(always->At(day * 86400).offset == -4 * 3600);
}

TEST_CASE("Time zones: a file that is cut off or changed is refused or read, and nothing worse") {
  REQUIRE_MESSAGE(::access(kZoneFolder, R_OK) == 0, "install tzdata");
  const auto bytes = ReadFile(std::string(kZoneFolder) + "/Europe/Berlin");
  REQUIRE(bytes);
  REQUIRE(TimeZone::Parse(*bytes));
  for (std::size_t size = 0; size < bytes->size(); ++size) {
    CHECK_FALSE(TimeZone::Parse(std::string_view(*bytes).substr(0, size)));
  }
  RunHistories(2000, [&](Random& random) -> std::string {
    std::string changed = *bytes;
    for (int i = 0; i < 4; ++i) {
      changed[random.Below(static_cast<unsigned>(changed.size()))] =
          static_cast<char>(random.Below(256));
    }
    const auto zone = TimeZone::Parse(changed);
    if (!zone) return {};
    const std::int64_t time = random.Between(-300 * kYear, 300 * kYear);
    const TimeZone::Span span = zone->At(time);
    return span.begin <= time && time < span.end ? "" : "a span without its own time";
  });
}

TEST_CASE("Time zones: a name does not lead out of their folder") {
  TempFolder folder;
  for (const char* name :
       {"", "/etc/passwd", "../passwd", "Europe/../../etc/passwd", "Europe//Rome", "Europe/", ".",
        "Eu\nrope", "Europe/Ber lin", "./UTC", "a/.b"}) {
    CAPTURE(name);
    const auto zone = LoadTimeZone(name, folder.path());
    REQUIRE_FALSE(zone);
    CHECK(zone.error().code == ErrorCode::kInvalid);
  }
  const auto missing = LoadTimeZone("Europe/Berlim", folder.path());
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::kNotFound);
  CHECK(LoadTimeZone("UTC", folder.path()));
  CHECK(LoadLocalTimeZone(""));
  CHECK(LoadLocalTimeZone(nullptr));
  CHECK(LoadLocalTimeZone("CET-1CEST,M3.5.0,M10.5.0/3"));
  CHECK_FALSE(LoadLocalTimeZone("nowhere at all"));
}

TEST_CASE("Time zones: a time is written with its offset") {
  const auto berlin = TimeZone::FromRule("CET-1CEST,M3.5.0,M10.5.0/3");
  REQUIRE(berlin);
  CHECK(berlin->Format(ParseIso("2026-11-27T03:00:00Z")) == "2026-11-27T04:00:00+01:00");
  CHECK(berlin->Format(ParseIso("2026-07-27T03:00:00Z")) == "2026-07-27T05:00:00+02:00");
  CHECK(TimeZone().Format(0) == "1970-01-01T00:00:00+00:00");
  const auto west = TimeZone::FromRule("<-0330>3:30");
  REQUIRE(west);
  CHECK(west->Format(0) == "1969-12-31T20:30:00-03:30");
}

}  // namespace slc
