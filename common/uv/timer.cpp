#include "common/uv/timer.h"

#include "common/uv/handle.h"

namespace slc::uv {

struct Timer::Impl {
  Impl(Loop& owner_loop, std::function<void()> callback)
      : loop(owner_loop), on_time(std::move(callback)), box(this) {
    uv_timer_init(loop.raw(), box.get());
    box.MarkInitialized();
  }
  Loop& loop;
  std::function<void()> on_time;
  HandleBox<uv_timer_t, Impl> box;
};

Timer::Timer(Loop& loop, std::function<void()> on_time)
    : impl_(std::make_unique<Impl>(loop, std::move(on_time))) {}
Timer::~Timer() = default;

void Timer::StartIn(Millis delay) {
  // libuv counts from the time of the last poll; a long turn must not shorten the delay.
  uv_update_time(impl_->loop.raw());
  uv_timer_start(
      impl_->box.get(),
      [](uv_timer_t* handle) {
        if (Impl* impl = HandleBox<uv_timer_t, Impl>::OwnerOf(handle)) impl->on_time();
      },
      static_cast<std::uint64_t>(delay > 0 ? delay : 0), 0);
}

void Timer::StartAt(Millis deadline) { StartIn(deadline - BootNow()); }

void Timer::Stop() { uv_timer_stop(impl_->box.get()); }

bool Timer::active() const {
  return uv_is_active(reinterpret_cast<uv_handle_t*>(impl_->box.get())) != 0;
}

}  // namespace slc::uv
