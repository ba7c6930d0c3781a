#include "common/base/oom.h"

#include <unistd.h>

#include <vector>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kV1 = "/sys/fs/cgroup/memory";
constexpr const char* kV2 = "/sys/fs/cgroup";

std::optional<std::uint64_t> CountIn(const std::string& file) {
  const auto text = ReadFile(file, 1U << 20);
  return text ? ParseOomKill(*text) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> ParseOomKill(std::string_view text) {
  constexpr std::string_view kKey = "oom_kill ";
  for (const std::string& line : Split(text, '\n')) {
    if (!StartsWith(line, kKey)) continue;
    const auto number = ParseInteger(line.substr(kKey.size()), 0, INT64_MAX);
    if (number) return static_cast<std::uint64_t>(*number);
  }
  return std::nullopt;
}

std::string OomFileOf(std::string_view cgroups, bool mounted_v1) {
  std::string unified;
  for (const std::string& line : Split(cgroups, '\n')) {
    const std::vector<std::string> parts = Split(line, ':');
    if (parts.size() < 3) continue;
    // A path may hold colons.
    std::string path = line.substr(parts[0].size() + parts[1].size() + 2);
    if (path == "/") path.clear();
    const std::vector<std::string> controllers = Split(parts[1], ',');
    for (const std::string& controller : controllers) {
      if (controller == "memory" && mounted_v1) return kV1 + path + "/memory.oom_control";
    }
    if (parts[0] == "0") unified = kV2 + path + "/memory.events";
  }
  return unified;
}

OomCounts ReadOomCounts() {
  OomCounts counts;
  if (const auto cgroups = ReadFile("/proc/self/cgroup", 1U << 16)) {
    const bool v1 = ::access(kV1, F_OK) == 0;
    counts.cgroup = CountIn(OomFileOf(*cgroups, v1));
    // In a container its own cgroup may be what is mounted, whatever its path outside.
    if (!counts.cgroup) counts.cgroup = CountIn(OomFileOf(v1 ? "1:memory:/" : "0::/", v1));
  }
  counts.machine = CountIn("/proc/vmstat");
  return counts;
}

KillCause JudgeKill(const OomCounts& before, const OomCounts& now) {
  const auto rose = [](const auto& from, const auto& to) { return from && to && *to > *from; };
  if (rose(before.cgroup, now.cgroup)) return KillCause::kOutOfMemory;
  if (rose(before.machine, now.machine)) return KillCause::kPerhapsOutOfMemory;
  if (before.machine && now.machine) return KillCause::kSomebody;
  return KillCause::kUnknown;
}

const char* DescribeKillCause(KillCause cause) {
  switch (cause) {
    case KillCause::kOutOfMemory:
      return "out of memory: the kernel's OOM killer struck in its cgroup";
    case KillCause::kPerhapsOutOfMemory:
      return "most likely out of memory: the kernel's OOM killer struck on this machine just then";
    case KillCause::kSomebody:
      return "by somebody else than slc; the kernel's OOM killer did not strike";
    case KillCause::kUnknown:
      break;
  }
  return "most likely by the kernel's OOM killer, or somebody's kill -9";
}

}  // namespace slc
