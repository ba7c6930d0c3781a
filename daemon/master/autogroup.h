// Autogroup: lets the niceness of workers count. Where the kernel shares the CPUs among sessions
// (sched_autogroup_enabled), that of a process counts only within its session, and each worker has
// one of its own: so the session as a whole gets it, too.
#pragma once

#include <sys/types.h>

#include <deque>

#include "common/base/process.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"

namespace slc {

// Once: 0, or the system's reason; EAGAIN when it is asked too often.
int WriteAutogroupNice(pid_t leader, int nice);

class Autogroup {
 public:
  explicit Autogroup(uv::Loop& loop) : timer_(loop, [this] { Write(); }) {}

  // Of the session that `leader` has begun. At once, or as soon as the kernel takes it: of others
  // than root one each 100 ms. What cannot be had is let be.
  void SetNice(const ProcessIdentity& leader, int nice);

 private:
  struct Wanted {
    ProcessIdentity leader;
    int nice = 0;
  };
  void Write();

  std::deque<Wanted> wanted_;
  uv::Timer timer_;
};

}  // namespace slc
