// Histogram of durations with a relative error below 1.6 %, from 1 ns to hours, in 23 KB.
//
// Buckets are log-linear: 64 per power of two. Quantiles are the upper edge of their bucket (never
// flattering) but at most max(), which is exact. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "tests/bench/load/clock.h"

namespace slc::load {

class Histogram {
 public:
  // Negative durations count as zero.
  void Add(Duration duration);
  std::uint64_t count() const { return count_; }
  Duration max() const { return max_; }
  // The duration that `fraction` (0..1) of all samples do not exceed; zero without samples.
  Duration Quantile(double fraction) const;

 private:
  static constexpr int kSubBits = 6;
  static constexpr std::size_t kSubs = std::size_t{1} << kSubBits;
  static constexpr int kMostBits = 44;  // 4.9 hours; what is longer lands in the last bucket
  static constexpr std::size_t kBuckets = kSubs * (kMostBits - kSubBits + 1);

  static std::size_t IndexOf(std::uint64_t value);
  static std::uint64_t UpperEdge(std::size_t index);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  Duration max_{0};
};

}  // namespace slc::load
