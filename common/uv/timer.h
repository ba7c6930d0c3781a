// Timer: calls back once at a deadline. Re-arming replaces the old deadline.
#pragma once

#include <functional>
#include <memory>

#include "common/base/time.h"
#include "common/uv/loop.h"

namespace slc::uv {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_time);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires `delay` ms from now (at once in the next turn for 0 or less).
  void StartIn(Millis delay);
  // Fires when CLOCK_BOOTTIME reaches `deadline`. After a suspend it may fire late by what was
  // slept; owners treat it as a hint and look at the clock.
  void StartAt(Millis deadline);
  void Stop();
  bool active() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::uv
