// OomWatch: tells whether a worker that got a SIGKILL from nobody of us fell to the OOM killer, by
// the kernel's counters. They are compared with how they stood some seconds before, so that older
// strikes, on others, do not count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/oom.h"

namespace slc {

class OomWatch {
 public:
  OomWatch() : file_(FindOomFile()), before_(ReadOomCounts(file_)), last_(before_) {}

  // To be called every some seconds. Two looks back count: the end of a large process takes a while
  // after the strike.
  void Look() {
    before_ = last_;
    last_ = ReadOomCounts(file_);
  }
  // Of an end that was just seen. Each strike explains one.
  KillCause Judge() {
    const KillCause cause = JudgeKill(before_, ReadOomCounts(file_));
    if (cause == KillCause::kOutOfMemory) Use(before_.cgroup, last_.cgroup);
    if (cause == KillCause::kOutOfMemory || cause == KillCause::kPerhapsOutOfMemory) {
      Use(before_.machine, last_.machine);
    }
    return cause;
  }

 private:
  static void Use(std::optional<std::uint64_t>& before, std::optional<std::uint64_t>& last) {
    if (!before || !last) return;
    ++*before;
    last = std::max(*last, *before);
  }

  const std::string file_;
  OomCounts before_;
  OomCounts last_;
};

}  // namespace slc
