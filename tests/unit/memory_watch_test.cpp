#include "daemon/master/core/memory_watch.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr std::uint64_t kLimit = 100U << 20;

std::string Told(const std::vector<MemoryWatch::Finding>& findings) {
  std::string text;
  for (const auto& [worker, why] : findings) {
    text += (text.empty() ? "" : ", ") + std::to_string(worker) +
            (why.empty() ? " is well" : " " + why);
  }
  return text;
}

}  // namespace

TEST_CASE("A worker is too large when two looks in a row find it so, and is told once") {
  MemoryWatch watch;
  CHECK(Told(watch.Look({{1, kLimit + 1, kLimit}, {2, kLimit, kLimit}})).empty());
  CHECK(Told(watch.Look({{1, kLimit, kLimit}, {2, 150U << 20, kLimit}})).empty());
  CHECK(Told(watch.Look({{1, kLimit + 1, kLimit}, {2, 151U << 20, kLimit}})) ==
        "2 uses 151 MiB of memory, and may use 100 MiB (--max-memory)");
  CHECK(Told(watch.Look({{2, 152U << 20, kLimit}})).empty());
  CHECK(Told(watch.Look({{1, kLimit + 1, kLimit}, {2, kLimit, kLimit}})) == "2 is well");
  CHECK(Told(watch.Look({{2, kLimit, kLimit}})).empty());
}

TEST_CASE("It is looked every 5 s, and every second while a worker is near its limit") {
  MemoryWatch watch;
  CHECK(watch.NextAfter(12'345) == 15'000);
  CHECK(watch.NextAfter(15'000) == 20'000);
  watch.Look({{1, kLimit / 10 * 9, kLimit}});
  CHECK(watch.NextAfter(12'345) == 13'000);
  watch.Look({{1, kLimit / 2, kLimit}});
  CHECK(watch.NextAfter(12'345) == 15'000);
}

}  // namespace slc
