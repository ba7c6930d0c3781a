#include "tests/bench/load/reactor.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace slc::load {

Reactor::Reactor() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_) return;
  std::perror("slc-load: epoll_create1");
  std::abort();
}

void Reactor::Watch(int fd, Handler& handler, bool want_write) {
  Control(EPOLL_CTL_ADD, fd, handler, want_write);
}

void Reactor::Rewatch(int fd, Handler& handler, bool want_write) {
  Control(EPOLL_CTL_MOD, fd, handler, want_write);
}

void Reactor::Control(int operation, int fd, Handler& handler, bool want_write) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | (want_write ? EPOLLOUT : 0u);
  event.data.ptr = &handler;
  if (epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return;
  // Going on would leave a request without a verdict.
  std::perror("slc-load: epoll_ctl");
  std::abort();
}

void Reactor::SetTimer(Handler& handler, Time at) {
  if (!handler.timer_) {
    handler.timer_ = timers_.emplace(at, &handler);
    return;
  }
  // Moving the node spares an allocation per request.
  auto node = timers_.extract(*handler.timer_);
  node.key() = at;
  handler.timer_ = timers_.insert(std::move(node));
}

void Reactor::CancelTimer(Handler& handler) {
  if (!handler.timer_) return;
  timers_.erase(*handler.timer_);
  handler.timer_.reset();
}

void Reactor::RunOnce() {
  std::array<epoll_event, 256> events;
  int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), WaitMs());
  if (count < 0) {
    if (errno != EINTR) {
      std::perror("slc-load: epoll_wait");
      std::abort();
    }
    count = 0;
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Handler*>(event.data.ptr)->OnEvents(event.events);
  }
  // Sockets first: an answer that is here already must not be called late because we were. Timers
  // set meanwhile wait for the next round, or a handler could keep us here for ever.
  Time now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first < now) {
    Handler& handler = *timers_.begin()->second;
    CancelTimer(handler);
    handler.OnTimer(now);
  }
}

int Reactor::WaitMs() const {
  if (timers_.empty()) return -1;
  Duration wait = timers_.begin()->first - Clock::now();
  if (wait <= Duration::zero()) return 0;
  // Rounded up: waking early would mean spinning.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait + Duration(1)).count());
}

}  // namespace slc::load
