#include "tests/bench/load/schedule.h"

#include <algorithm>
#include <limits>

namespace slc::load {
namespace {

constexpr Duration kMostCatchUp = std::chrono::milliseconds(10);

Duration IntervalOf(const LaneOptions& options) {
  return options.rate ? Duration(static_cast<std::int64_t>(1e9 / *options.rate)) : Duration::zero();
}

}  // namespace

Schedule::Schedule(const LaneOptions& options, Time start, std::uint64_t seed)
    : think_min_(options.think_min),
      think_max_(options.think_max),
      interval_(IntervalOf(options)),
      next_slot_(start),
      left_(options.requests.value_or(std::numeric_limits<std::uint64_t>::max())),
      random_(seed) {}

Duration Schedule::FirstThink() { return Random(Duration::zero(), think_max_); }

Duration Schedule::Think() { return Random(think_min_, think_max_); }

Time Schedule::TakeSlot(Time now) {
  if (interval_ == Duration::zero()) return now;
  Time slot = std::max(next_slot_, now - kMostCatchUp);
  next_slot_ = slot + interval_;
  return slot;
}

bool Schedule::TryStart() {
  if (finished()) return false;
  --left_;
  return true;
}

Duration Schedule::Random(Duration low, Duration high) {
  if (low == high) return low;
  return Duration(std::uniform_int_distribution<std::int64_t>(low.count(), high.count())(random_));
}

}  // namespace slc::load
