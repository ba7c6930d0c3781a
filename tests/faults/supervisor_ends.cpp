#include "tests/faults/supervisor_ends.h"

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <optional>

#include "common/base/text.h"
#include "common/model/journal.h"

namespace slc::test {
namespace {

// linux/pidfd.h of Debian 12 does not know it yet.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup;
  std::uint32_t ids[11];
  std::int32_t wait_status;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t kExit = 1U << 3;

// Of a process that has ended and has been waited for, by whomsoever.
std::optional<int> WaitStatusOf(const UniqueFd& pidfd) {
  PidfdInfo info{};
  info.mask = kExit;
  if (::ioctl(pidfd.get(), kGetInfo, &info) != 0 || (info.mask & kExit) == 0) return std::nullopt;
  return info.wait_status;
}

std::string JournalOf(World& world) { return ReadText(world.home() + "/" + kJournalFile); }

}  // namespace

SupervisorEnds::SupervisorEnds(World& world)
    : world_(world), journal_bytes_(JournalOf(world).size()) {
  for (const ProcessIdentity& each : world.Supervisors()) {
    watched_.push_back({each.pid, OpenProcess(each)});
  }
}

std::string SupervisorEnds::Crashes() const {
  std::string text;
  for (const Watched& each : watched_) {
    const auto status = WaitStatusOf(each.pidfd);
    if (!status || !WIFSIGNALED(*status) || WTERMSIG(*status) == SIGKILL) continue;
    text += "pid " + std::to_string(each.pid) + ": " + DescribeWaitStatus(*status) + "\n";
  }
  const std::string journal = JournalOf(world_);
  for (const std::string& line :
       LinesOf(journal.substr(std::min(journal_bytes_, journal.size())))) {
    const auto record = DecodeJournalLine(line);
    if (!record || record->kind != "master_ended" || !StartsWith(record->text, "killed by"))
      continue;
    text += "master of " + record->service + ": " + record->text + "\n";
  }
  return text;
}

int SupervisorEnds::Count() const {
  return static_cast<int>(std::count_if(watched_.begin(), watched_.end(), [](const Watched& each) {
    return !each.pidfd || HasEnded(each.pidfd, 0);
  }));
}

}  // namespace slc::test
