#include "tests/bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace slc::load {

std::size_t Histogram::IndexOf(std::uint64_t value) {
  value = std::min(value, (std::uint64_t{1} << kMostBits) - 1);
  if (value < kSubs) return static_cast<std::size_t>(value);
  int shift = static_cast<int>(std::bit_width(value)) - 1 - kSubBits;
  // value >> shift lies in [kSubs, 2 * kSubs).
  return static_cast<std::size_t>(shift) * kSubs + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::UpperEdge(std::size_t index) {
  if (index < kSubs) return index;
  std::size_t shift = index / kSubs - 1;
  std::uint64_t mantissa = index % kSubs + kSubs;
  return ((mantissa + 1) << shift) - 1;
}

void Histogram::Add(Duration duration) {
  duration = std::max(duration, Duration::zero());
  ++buckets_[IndexOf(static_cast<std::uint64_t>(duration.count()))];
  ++count_;
  max_ = std::max(max_, duration);
}

Duration Histogram::Quantile(double fraction) const {
  if (count_ == 0) return Duration::zero();
  auto rank = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  rank = std::clamp<std::uint64_t>(rank, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(Duration(static_cast<std::int64_t>(UpperEdge(i))), max_);
  }
  return max_;
}

}  // namespace slc::load
