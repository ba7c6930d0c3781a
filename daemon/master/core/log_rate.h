// LogRate: how much a service may log in a second. A flood may use up what a second allows at once;
// then lines are refused until a quarter of that has been earned anew, so that what is refused is
// told of a few times a second and not for each line.
//
// Promises: of any span of t seconds, no more than (t + 1) * limit bytes and one line are admitted.
// A line longer than the whole limit goes through when nothing stands in its way.
//
// Pure: the caller says what time it is, in microseconds that never go back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/log_names.h"

namespace slc {

class LogRate {
 public:
  // Bytes a second; 0: no limit. What was spent stays spent.
  void SetLimit(std::uint64_t bytes) {
    const auto limit = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, kMostBytes));
    if (limit_ == 0) earned_ = limit;
    limit_ = limit;
    earned_ = std::min(earned_, limit);
    over_ = over_ && limit > 0;
  }
  bool limited() const { return limit_ > 0; }

  // Takes notice of the time. Before lines of one moment are asked for.
  void Earn(std::int64_t now) {
    const std::int64_t span = std::clamp<std::int64_t>(now - since_, 0, kSecond);
    const std::int64_t earned = span * limit_ / kSecond;
    // What was too short for another byte goes on to count.
    if (span == kSecond || limit_ == 0) {
      since_ = now;
    } else {
      since_ += (earned * kSecond + limit_ - 1) / limit_;
    }
    earned_ = std::min(limit_, earned_ + earned);
    if (over_ && earned_ >= Enough()) over_ = false;
  }

  bool admits() const { return !over_; }
  // A line that was admitted is logged.
  void Spend(std::size_t bytes) {
    if (limit_ == 0) return;
    earned_ -= static_cast<std::int64_t>(bytes);
    if (earned_ <= 0) over_ = true;
  }
  // A line that was not.
  void Refuse(LogStream stream) { ++refused_[Index(stream)]; }

  // Lines refused and not yet taken.
  std::uint64_t refused() const { return refused_[0] + refused_[1]; }
  std::uint64_t TakeRefused(LogStream stream) {
    std::uint64_t& refused = refused_[Index(stream)];
    const std::uint64_t lines = refused;
    refused = 0;
    return lines;
  }

  // How long until lines are admitted again, at the earliest 1; 0 if they are.
  std::int64_t Wait() const { return over_ ? (Enough() - earned_) * kSecond / limit_ + 1 : 0; }

 private:
  static constexpr std::int64_t kSecond = 1'000'000;
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;

  static std::size_t Index(LogStream stream) { return stream == LogStream::kOut ? 0 : 1; }
  std::int64_t Enough() const { return std::max<std::int64_t>(limit_ / 4, 1); }

  std::int64_t limit_ = 0;
  std::int64_t earned_ = 0;  // < 0: the last line was longer than what there was
  std::int64_t since_ = 0;
  bool over_ = false;
  std::array<std::uint64_t, 2> refused_{};
};

}  // namespace slc
