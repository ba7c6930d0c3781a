#include "tests/system/harness/processes.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <doctest/doctest.h>

#include "tests/system/harness/basics.h"

namespace slc::test {
namespace {

namespace fs = std::filesystem;

}  // namespace

Running::Running(Running&& other) noexcept
    : command_(std::move(other.command_)),
      out_path_(std::move(other.out_path_)),
      err_path_(std::move(other.err_path_)),
      identity_(std::exchange(other.identity_, {})),
      pidfd_(std::move(other.pidfd_)),
      started_(other.started_),
      ran_(std::move(other.ran_)) {}

Running::~Running() {
  if (!pidfd_ || ran_) return;
  SignalProcess(pidfd_, SIGKILL);
  slc::HasEnded(pidfd_, 10'000);
  Reap(pidfd_);
}

void Running::Signal(int signal) {
  if (!SignalProcess(pidfd_, signal))
    FAIL("cannot send signal ", signal, ", it has ended: ", command_);
}

bool Running::HasEnded() const { return ran_ || slc::HasEnded(pidfd_, 0); }
std::string Running::out(std::size_t from) const {
  std::ifstream file(out_path_, std::ios::binary);
  std::ostringstream text;
  if (file.seekg(static_cast<std::streamoff>(from))) text << file.rdbuf();
  return text.str();
}

std::string Running::err() const { return ReadText(err_path_); }

const Ran& Running::Wait(Millis deadline) {
  if (ran_) return *ran_;
  if (!slc::HasEnded(pidfd_, static_cast<int>(deadline))) {
    FAIL("did not end within ", deadline, " ms: ", command_, "\nstdout: ", out(),
         "\nstderr: ", err());
  }
  Ran ran;
  ran.took = BootNow() - started_;
  const int status = Reap(pidfd_).value_or(-1);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = out();
  ran.err = err();
  ran_ = std::move(ran);
  return *ran_;
}

bool IsAlive(const ProcessIdentity& identity) {
  const auto now = IdentifyProcess(identity.pid);
  if (!now || *now != identity) return false;
  const auto usage = ReadUsage(identity.pid);
  return usage && usage->state != 'Z' && usage->state != 'X';
}

bool IsAlive(pid_t pid) {
  const auto identity = IdentifyProcess(pid);
  return identity && IsAlive(*identity);
}

void Kill(const ProcessIdentity& identity, int signal) {
  const UniqueFd process = OpenProcess(identity);
  if (!SignalProcess(process, signal)) FAIL("process ", identity.pid, " is gone already");
}

std::vector<std::string> OpenFiles(pid_t pid) {
  std::vector<std::string> files = DescriptorTargets(pid);
  for (std::string& file : files) {
    const std::size_t colon = file.find(":[");
    if (colon != std::string::npos) file.resize(colon);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t CountOpenFiles(pid_t pid) { return OpenFiles(pid).size(); }

std::vector<std::string> DescriptorTargets(pid_t pid) {
  std::vector<std::string> targets;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  std::error_code ignored;
  for (auto it = fs::directory_iterator(folder, ignored); it != fs::directory_iterator();
       it.increment(ignored)) {
    if (const std::string target = LinkTarget(it->path()); !target.empty())
      targets.push_back(target);
    if (ignored) break;
  }
  return targets;
}

std::string LinkTarget(const std::string& path) {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

}  // namespace slc::test
