// How often the kernel's OOM killer has struck: where this process lives, and on the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slc {

struct OomCounts {
  std::optional<std::uint64_t> cgroup;  // in our memory cgroup (v2 or v1); nothing: none to be read
  std::optional<std::uint64_t> machine;  // since boot (/proc/vmstat); nothing: an old kernel

  bool operator==(const OomCounts&) const = default;
};

// The file in which the kernel counts for our memory cgroup; empty: there is none to be read.
std::string FindOomFile();
// Reads that and /proc/vmstat: some 0.1 ms, never a disk, and nothing of the heap.
OomCounts ReadOomCounts(const std::string& oom_file);

// Pure parts. The number behind "oom_kill " on a line of its own:
std::optional<std::uint64_t> ParseOomKill(std::string_view text);
// The file in which the kernel counts for a process whose /proc/PID/cgroup holds `cgroups`; of two
// hierarchies the one with a memory controller. `mounted_v1`: below /sys/fs/cgroup/memory.
std::string OomFileOf(std::string_view cgroups, bool mounted_v1);

// Why a worker was killed by a SIGKILL that none of us had sent.
enum class KillCause {
  kOutOfMemory,         // the OOM killer has struck in our cgroup since `before`
  kPerhapsOutOfMemory,  // it has struck somewhere on the machine
  kSomebody,            // it has not: another process sent the signal
  kUnknown,             // the kernel does not tell
};
KillCause JudgeKill(const OomCounts& before, const OomCounts& now);

// For people, behind "killed by SIGKILL (signal 9)".
const char* DescribeKillCause(KillCause cause);

}  // namespace slc
