#include "common/uv/loop.h"

#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <uv.h>

#include "common/base/unique_fd.h"

namespace slc::uv {

// libuv's own clock is CLOCK_MONOTONIC, which stands still while the machine sleeps; deadlines that
// outlive a process need CLOCK_BOOTTIME. It is read once per turn, right after the poll.
struct Loop::Clock {
  std::uint64_t turn = ~std::uint64_t{0};
  Millis now = 0;
};

namespace {

// For want of descriptors or memory, which is nobody's bug: no core is left.
[[noreturn]] void GiveUp(int reason) {
  std::fprintf(stderr, "slc: cannot make an event loop: %s\n", std::strerror(reason));
  std::exit(1);
}

}  // namespace

Loop::Loop() : loop_(std::make_unique<uv_loop_s>()), clock_(std::make_unique<Clock>()) {
  {
    // libuv aborts without a word where it finds no room for a pipe of its signals: so all is tried
    // first that it opens for a loop, two pipes, an epoll and an event.
    std::array<UniqueFd, 6> tried;
    for (UniqueFd& fd : tried) {
      fd.reset(::eventfd(0, EFD_CLOEXEC));
      if (!fd) GiveUp(errno);
    }
  }
  if (const int code = uv_loop_init(loop_.get()); code != 0) GiveUp(-code);
}

Loop::~Loop() {
  uv_run(loop_.get(), UV_RUN_NOWAIT);
  if (uv_loop_close(loop_.get()) == 0) return;
  std::fprintf(stderr, "slc: handles were leaked:\n");
  uv_print_all_handles(loop_.get(), stderr);
  std::abort();
}

void Loop::Run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }

void Loop::Stop() { uv_stop(loop_.get()); }

Millis Loop::now() const {
  // uv_now() changes at most once per turn, so it tells whether this is still the same turn; within
  // one millisecond of it the cached value is as good.
  const std::uint64_t turn = uv_now(loop_.get());
  if (turn != clock_->turn) {
    clock_->turn = turn;
    clock_->now = BootNow();
  }
  return clock_->now;
}

}  // namespace slc::uv
