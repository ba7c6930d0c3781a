#include "common/uv/wall_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace slc::uv {

WallTimer::WallTimer(Loop& loop, std::function<void()> on_time)
    : loop_(loop), on_time_(std::move(on_time)) {}

Status WallTimer::Open() {
  UniqueFd fd(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd) return SystemError("make a timer", errno);
  auto poll = std::make_unique<Poll>(loop_, fd.get(), [this](Poll::Ready) {
    std::uint64_t times = 0;
    // Fails with ECANCELED if the clock was set.
    const ssize_t got = ::read(fd_.get(), &times, sizeof(times));
    if (got < 0 && errno == EAGAIN) return;
    on_time_();
  });
  if (!poll->ok()) return Error{ErrorCode::kInternal, "make a timer: poll refused"};
  fd_ = std::move(fd);
  poll_ = std::move(poll);
  poll_->Watch(true, false);
  return Ok();
}

Status WallTimer::StartAt(Millis wall) {
  if (!poll_) {
    if (Status open = Open(); !open) return open;
  }
  // All zero would disarm it.
  wall = std::max<Millis>(wall, 1);
  itimerspec when{};
  when.it_value.tv_sec = wall / 1000;
  when.it_value.tv_nsec = wall % 1000 * 1'000'000;
  constexpr int kFlags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  if (::timerfd_settime(fd_.get(), kFlags, &when, nullptr) == 0) return Ok();
  if (errno != ECANCELED) return SystemError("set a timer", errno);
  // The clock was set just now, and this call was told: whoever asked is to look again, at once.
  when.it_value = {0, 1};
  if (::timerfd_settime(fd_.get(), kFlags, &when, nullptr) == 0) return Ok();
  return SystemError("set a timer", errno);
}

void WallTimer::Stop() {
  poll_.reset();
  fd_.reset();
}

}  // namespace slc::uv
