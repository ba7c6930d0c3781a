// FloodPace: how fast a flood of output is taken.
//
// A burst goes through as fast as the machine can: a program may dump kBurst in one go. One that
// prints without end is no news to anybody, rotates away what was worth keeping, and takes two
// processors from the other services while it does; from then on its pipe is read at kSteady, and
// its writes wait. One Node process can print 43 MB/s on the machine where a C program reaches 500.
//
// Pure: the caller says what time it is, in microseconds that never go back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace slc {

class FloodPace {
 public:
  // Bytes, of all workers of a service together.
  static constexpr std::int64_t kBurst = 128 << 20;
  static constexpr std::int64_t kSteady = 64 << 20;  // a second
  // Once the burst is used up, so much has to be earned before the next read.
  static constexpr std::int64_t kTurn = 256 << 10;

  // So much was read.
  void Take(std::size_t bytes, std::int64_t now) {
    Earn(now);
    left_ -= static_cast<std::int64_t>(bytes);
    if (left_ > 0) return;
    spent_ = true;
    if (!std::exchange(told_, true)) news_ = true;
  }
  // True once for each flood that has used up its burst.
  bool TakeNews() { return std::exchange(news_, false); }
  // Microseconds until more is to be read; 0: at once.
  std::int64_t Wait(std::int64_t now) {
    Earn(now);
    if (left_ >= kTurn) spent_ = false;
    return spent_ ? (kTurn - left_) * kSecond / kSteady + 1 : 0;
  }

 private:
  static constexpr std::int64_t kSecond = 1'000'000;

  void Earn(std::int64_t now) {
    const std::int64_t span =
        std::clamp<std::int64_t>(now - since_, 0, 2 * kBurst / kSteady * kSecond);
    since_ = std::max(since_, now);
    left_ = std::min(kBurst, left_ + span * kSteady / kSecond);
    if (left_ >= kBurst / 2) told_ = false;
  }

  std::int64_t left_ = kBurst;
  std::int64_t since_ = 0;
  bool spent_ = false;
  bool told_ = false;  // of this flood; it is over when half of the burst is earned again
  bool news_ = false;
};

}  // namespace slc
