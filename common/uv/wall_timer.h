// WallTimer: calls back once at a time of the wall clock, and each time that clock is set. While
// nothing of the two happens nothing runs.
#pragma once

#include <functional>
#include <memory>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"

namespace slc::uv {

class WallTimer {
 public:
  // `on_time` looks at the clock: it may have been set.
  WallTimer(Loop& loop, std::function<void()> on_time);

  // Replaces what was asked for before. After a suspend it is late by what was slept. Fails where
  // the system has no descriptor.
  Status StartAt(Millis wall);
  void Stop();

 private:
  Status Open();

  Loop& loop_;
  std::function<void()> on_time_;
  UniqueFd fd_;
  std::unique_ptr<Poll> poll_;
};

}  // namespace slc::uv
