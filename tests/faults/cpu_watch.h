// CpuWatch: how much processes compute over some time, so that a spin is seen.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/base/process.h"
#include "common/base/time.h"

namespace slc::test {

// Begins when it is made.
class CpuWatch {
 public:
  explicit CpuWatch(std::vector<pid_t> pids) : pids_(std::move(pids)), begun_(BootNow()) {
    for (const pid_t pid : pids_) before_.push_back(Ticks(pid));
  }
  // Of the busiest one, as a share of one core.
  double Highest() const {
    const double seconds = static_cast<double>(BootNow() - begun_) / 1000;
    double highest = 0;
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      const double used = static_cast<double>(Ticks(pids_[i]) - before_[i]) /
                          static_cast<double>(::sysconf(_SC_CLK_TCK));
      highest = std::max(highest, used / seconds);
    }
    return highest;
  }

 private:
  static std::uint64_t Ticks(pid_t pid) {
    const auto usage = ReadUsage(pid);
    return usage ? usage->cpu_ticks : 0;
  }
  std::vector<pid_t> pids_;
  std::vector<std::uint64_t> before_;
  Millis begun_;
};

}  // namespace slc::test
