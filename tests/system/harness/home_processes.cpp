#include "tests/system/harness/home_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/ids.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "tests/system/harness/basics.h"
#include "tests/system/harness/outliving.h"
#include "tests/system/harness/processes.h"

namespace slc::test {
namespace {

namespace fs = std::filesystem;

std::vector<pid_t> AllPids() {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (const auto pid = ParseInteger(entry.path().filename().string(), 1, 1 << 30)) {
      pids.push_back(static_cast<pid_t>(*pid));
    }
  }
  return pids;
}

// "N-M" of a home, with which the cookies of its processes begin.
std::string HomeKey(const std::string& home) {
  struct stat info {};
  if (::stat(home.c_str(), &info) != 0) return {};
  return std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino);
}

// The process that outlives us, and the pipe on which it waits for our end.
class Guardian {
 public:
  static void Watch(const std::string& home) {
    static const Guardian guardian;
    const std::string line = home + "\n";
    if (::write(guardian.pipe_.get(), line.data(), line.size()) < 0) FAIL("the guardian is gone");
  }

 private:
  Guardian() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) FAIL("pipe: ", std::strerror(errno));
    pipe_ = UniqueFd(ends[1]);
    const UniqueFd read_end(ends[0]);
    RunOutliving([&] { Guard(read_end.get()); });
  }

  void Guard(int read_end) {
    pipe_.reset();
    std::string homes;
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t got = ::read(read_end, buffer.data(), buffer.size());
      if (got <= 0) break;
      homes.append(buffer.data(), static_cast<std::size_t>(got));
    }
    for (const std::string& home : LinesOf(homes)) KillAllOf(home);
  }

  UniqueFd pipe_;
};

}  // namespace

std::vector<ProcessIdentity> FindSupervisors(const std::string& home) {
  std::vector<ProcessIdentity> found;
  for (const pid_t pid : AllPids()) {
    const std::string program = LinkTarget("/proc/" + std::to_string(pid) + "/exe");
    if (!Contains(program, "/slcd") && !Contains(program, "/slc-master")) continue;
    const auto files = DescriptorTargets(pid);
    const bool ours = std::any_of(files.begin(), files.end(), [&](const std::string& file) {
      return StartsWith(file, home + "/");
    });
    if (!ours) continue;
    if (const auto identity = IdentifyProcess(pid)) found.push_back(*identity);
  }
  return found;
}

std::vector<ProcessIdentity> FindWorkers(const std::string& home) {
  const std::string key = HomeKey(home);
  if (key.empty()) return {};
  const std::string wanted = std::string(kCookieVariable) + "=" + key + "-";
  std::vector<ProcessIdentity> found;
  for (const pid_t pid : AllPids()) {
    auto environment = ReadFile("/proc/" + std::to_string(pid) + "/environ", 8U << 20);
    if (!environment) continue;
    const std::size_t at = environment->find(wanted);
    if (at == std::string::npos || (at > 0 && (*environment)[at - 1] != '\0')) continue;
    if (const auto identity = IdentifyProcess(pid)) found.push_back(*identity);
  }
  return found;
}

std::vector<ProcessIdentity> FindAllOf(const std::string& home) {
  std::vector<ProcessIdentity> all = FindSupervisors(home);
  for (const ProcessIdentity& each : FindWorkers(home)) all.push_back(each);
  std::erase_if(all, [](const ProcessIdentity& each) { return !IsAlive(each); });
  return all;
}

void KillAllOf(const std::string& home) {
  // Masters come first: they would start workers anew.
  for (int round = 0; round < 50; ++round) {
    const auto left = FindAllOf(home);
    if (left.empty()) return;
    for (const ProcessIdentity& each : left) SignalProcess(OpenProcess(each), SIGKILL);
    ::poll(nullptr, 0, 10);
  }
}

void KillAllWhenWeEnd(const std::string& home) { Guardian::Watch(home); }

}  // namespace slc::test
