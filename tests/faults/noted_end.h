// NotedEnd: when a process ended, by a thread of its own that waits for it: whatever the test does
// meanwhile, and whoever reaps the process.
#pragma once

#include <unistd.h>

#include <optional>
#include <thread>

#include "common/base/process.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc::test {

// When a process was started, CLOCK_BOOTTIME; at most a tick (10 ms) too early.
inline Millis StartOf(const ProcessIdentity& process) {
  constexpr Millis kPerSecond = 1000;
  return static_cast<Millis>(process.start_time) * kPerSecond / ::sysconf(_SC_CLK_TCK);
}

class NotedEnd {
 public:
  // `process` lives, and ends within `patience`.
  NotedEnd(const ProcessIdentity& process, Millis patience)
      : pidfd_(OpenProcess(process)), thread_([this, patience] {
          if (HasEnded(pidfd_, static_cast<int>(patience))) at_ = BootNow();
        }) {}
  ~NotedEnd() {
    if (thread_.joinable()) thread_.join();
  }
  NotedEnd(const NotedEnd&) = delete;
  NotedEnd& operator=(const NotedEnd&) = delete;

  // Waits for it; nothing: it has not ended. CLOCK_BOOTTIME, late by what the thread had to wait
  // for a processor.
  std::optional<Millis> Wait() {
    thread_.join();
    return at_;
  }

 private:
  UniqueFd pidfd_;
  std::optional<Millis> at_;
  std::thread thread_;
};

}  // namespace slc::test
