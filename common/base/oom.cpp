#include "common/base/oom.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"

namespace slc {
namespace {

constexpr const char* kV1 = "/sys/fs/cgroup/memory";
constexpr const char* kV2 = "/sys/fs/cgroup";

// Line by line through a small buffer: masters are many, and what a heap has once been it stays.
std::optional<std::uint64_t> CountIn(const std::string& file) {
  if (file.empty()) return std::nullopt;
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::array<char, 2048> buffer;
  std::size_t held = 0;
  while (held < buffer.size()) {
    const ssize_t got = ::read(fd.get(), buffer.data() + held, buffer.size() - held);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    held += static_cast<std::size_t>(got);
    const std::string_view text(buffer.data(), held);
    const std::size_t whole = text.rfind('\n') + 1;  // 0: none
    if (const auto count = ParseOomKill(text.substr(0, whole))) return count;
    held -= whole;
    std::memmove(buffer.data(), buffer.data() + whole, held);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> ParseOomKill(std::string_view text) {
  constexpr std::string_view kKey = "oom_kill ";
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
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

std::string FindOomFile() {
  const auto cgroups = ReadFile("/proc/self/cgroup", 1U << 16);
  if (!cgroups) return {};
  const bool v1 = ::access(kV1, F_OK) == 0;
  // In a container its own cgroup may be what is mounted, whatever its path outside.
  for (const std::string& file :
       {OomFileOf(*cgroups, v1), OomFileOf(v1 ? "1:memory:/" : "0::/", v1)}) {
    if (CountIn(file)) return file;
  }
  return {};
}

OomCounts ReadOomCounts(const std::string& oom_file) {
  return OomCounts{CountIn(oom_file), CountIn("/proc/vmstat")};
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
