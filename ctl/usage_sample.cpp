#include "ctl/usage_sample.h"

#include <poll.h>
#include <time.h>

#include <optional>

#include "common/base/process.h"

namespace slc::ctl {
namespace {

using Nanos = std::int64_t;

Nanos ToNanos(const timespec& time) {
  return static_cast<Nanos>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

Nanos Now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return ToNanos(time);
}

// What the process has used so far: to the nanosecond, where /proc counts in hundredths of a second
// and would make of 100 ms a scale of ten steps.
std::optional<Nanos> CpuTime(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0) return std::nullopt;
  if (::clock_gettime(clock, &time) != 0) return std::nullopt;
  return ToNanos(time);
}

}  // namespace

UsageByPid SampleUsage(const std::vector<ServiceView>& services) {
  constexpr int kSpanMs = 100;
  struct Before {
    int pid;
    Nanos cpu;
    Nanos at;
  };
  std::vector<Before> before;
  for (const ServiceView& service : services) {
    for (const ProcessView& process : service.processes) {
      if (process.pid <= 0) continue;
      if (const auto cpu = CpuTime(process.pid)) before.push_back({process.pid, *cpu, Now()});
    }
  }
  UsageByPid usage;
  if (before.empty()) return usage;
  ::poll(nullptr, 0, kSpanMs);
  for (const Before& process : before) {
    const auto cpu = CpuTime(process.pid);
    const auto read = ReadUsage(process.pid);
    const Nanos span = Now() - process.at;
    if (!cpu || !read || span <= 0) continue;
    usage[process.pid] =
        Usage{100.0 * static_cast<double>(*cpu - process.cpu) / static_cast<double>(span),
              read->resident};
  }
  return usage;
}

}  // namespace slc::ctl
