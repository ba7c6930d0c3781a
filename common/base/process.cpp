#include "common/base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <set>

#include "common/base/files.h"
#include "common/base/text.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace slc {
namespace {

// Places in StatFields(): of what proc(5) numbers from 1.
constexpr std::size_t kSession = 6 - 3;
constexpr std::size_t kStartTime = 22 - 3;
constexpr std::size_t kMemoryBytes = 23 - 3;
constexpr std::size_t kCodeStart = 26 - 3;
constexpr std::size_t kStackStart = 28 - 3;
constexpr std::size_t kEnvironmentStart = 50 - 3;

// Fields of /proc/PID/stat from the third on; the second (the name) may hold blanks and brackets.
std::vector<std::string> StatFields(pid_t pid) {
  auto text = ReadFile("/proc/" + std::to_string(pid) + "/stat", 65536);
  if (!text) return {};
  const std::size_t end_of_name = text->rfind(')');
  if (end_of_name == std::string::npos || end_of_name + 2 >= text->size()) return {};
  return Split(std::string_view(*text).substr(end_of_name + 2), ' ');
}

// CPUs granted by a cgroup quota: `quota`/`period` rounded up; 0 when there is no limit.
unsigned QuotaCpus(double quota, double period) {
  if (quota <= 0 || period <= 0) return 0;
  return std::max(1U, static_cast<unsigned>(std::ceil(quota / period)));
}

unsigned SmallerNonZero(unsigned a, unsigned b) {
  if (a == 0) return b;
  return b == 0 ? a : std::min(a, b);
}

unsigned CgroupCpus() {
  auto membership = ReadFile("/proc/self/cgroup", 65536);
  if (!membership) return 0;
  unsigned cpus = 0;
  for (const std::string& line : Split(*membership, '\n')) {
    const auto fields = Split(line, ':');
    if (fields.size() < 3) continue;
    std::string path = fields[2];
    const bool v2 = fields[0] == "0" && fields[1].empty();
    const auto controllers = Split(fields[1], ',');
    if (!v2 && std::find(controllers.begin(), controllers.end(), "cpu") == controllers.end()) {
      continue;
    }
    // The tightest limit of the group and its ancestors holds. Inside a container the path may name
    // directories that are not mounted; then only the root is there to be read.
    while (true) {
      if (v2) {
        auto limit = ReadFile("/sys/fs/cgroup" + path + "/cpu.max", 256);
        if (limit) {
          const auto parts = Split(Trim(*limit), ' ');
          if (parts.size() == 2 && parts[0] != "max") {
            cpus = SmallerNonZero(
                cpus, QuotaCpus(std::atof(parts[0].c_str()), std::atof(parts[1].c_str())));
          }
        }
      } else {
        const std::string base = "/sys/fs/cgroup/cpu" + path;
        auto quota = ReadFile(base + "/cpu.cfs_quota_us", 64);
        auto period = ReadFile(base + "/cpu.cfs_period_us", 64);
        if (quota && period) {
          cpus = SmallerNonZero(cpus,
                                QuotaCpus(std::atof(quota->c_str()), std::atof(period->c_str())));
        }
      }
      if (path.empty() || path == "/") break;
      path = path.substr(0, path.rfind('/'));
    }
  }
  return cpus;
}

// Inodes of sockets that listen on TCP `port`, from /proc/net/tcp or tcp6.
void CollectListeners(const char* table, std::uint16_t port, std::set<std::uint64_t>& inodes) {
  auto text = ReadFile(table, 64U << 20);
  if (!text) return;
  for (const std::string& line : Split(*text, '\n')) {
    std::vector<std::string> fields;
    for (const std::string& field : Split(line, ' ')) {
      if (!field.empty()) fields.push_back(field);
    }
    constexpr const char* kListen = "0A";
    if (fields.size() < 10 || fields[3] != kListen) continue;
    const std::size_t colon = fields[1].rfind(':');
    if (colon == std::string::npos) continue;
    if (std::strtoul(fields[1].c_str() + colon + 1, nullptr, 16) != port) continue;
    inodes.insert(std::strtoull(fields[9].c_str(), nullptr, 10));
  }
}

std::string CommandOf(pid_t pid) {
  auto line = ReadFile("/proc/" + std::to_string(pid) + "/cmdline", 65536);
  if (!line) return {};
  std::replace(line->begin(), line->end(), '\0', ' ');
  return Printable(Trim(*line).substr(0, 200));
}

}  // namespace

std::optional<ProcessIdentity> IdentifyProcess(pid_t pid) {
  const auto fields = StatFields(pid);
  if (fields.size() <= kStartTime) return std::nullopt;
  return ProcessIdentity{pid, std::strtoull(fields[kStartTime].c_str(), nullptr, 10)};
}

ProcessIdentity IdentifySelf() {
  return IdentifyProcess(::getpid()).value_or(ProcessIdentity{::getpid(), 0});
}

std::string BootId() {
  auto id = ReadFile("/proc/sys/kernel/random/boot_id", 128);
  return id ? std::string(Trim(*id)) : std::string();
}

int ShellExitCode(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

UniqueFd OpenProcess(const ProcessIdentity& identity) {
  if (identity.pid <= 0) return {};
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, identity.pid, 0)));
  if (!fd) return {};
  const auto now = IdentifyProcess(identity.pid);
  if (!now || *now != identity) return {};
  return fd;
}

bool SignalProcess(const UniqueFd& pidfd, int signal) {
  if (!pidfd) return false;
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

bool HasEnded(const UniqueFd& pidfd, int timeout_ms) {
  if (!pidfd) return true;
  pollfd entry{pidfd.get(), POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) > 0;
}

std::optional<int> Reap(const UniqueFd& pidfd) {
  siginfo_t info{};
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info,
               WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  // waitid splits the status; put it together again as waitpid would give it.
  if (info.si_code == CLD_EXITED) return (info.si_status & 0xff) << 8;
  return info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
}

bool WasKilled(std::optional<int> wait_status) {
  return wait_status && WIFSIGNALED(*wait_status) && WTERMSIG(*wait_status) == SIGKILL;
}

std::optional<SessionMember> ReadSession(pid_t pid) {
  const auto fields = StatFields(pid);
  if (fields.size() <= kStartTime) return std::nullopt;
  return SessionMember{{pid, std::strtoull(fields[kStartTime].c_str(), nullptr, 10)},
                       static_cast<pid_t>(std::atol(fields[kSession].c_str()))};
}

std::optional<ProcessImage> ReadImage(pid_t pid) {
  const auto fields = StatFields(pid);
  if (fields.size() <= kEnvironmentStart || fields[kMemoryBytes] == "0") return std::nullopt;
  const auto number = [&](std::size_t place) {
    return std::strtoull(fields[place].c_str(), nullptr, 10);
  };
  // An exec notes the place of the code last, when the environment is in its place.
  return ProcessImage{number(kCodeStart), number(kStackStart), number(kEnvironmentStart)};
}

ProcessWalk::ProcessWalk() : directory_(::opendir("/proc")) {}

ProcessWalk::~ProcessWalk() {
  if (directory_ != nullptr) ::closedir(directory_);
}

pid_t ProcessWalk::Next() {
  while (directory_ != nullptr) {
    const dirent* entry = ::readdir(directory_);
    if (entry == nullptr) break;
    if (const auto pid = ParseInteger(entry->d_name, 1, 1 << 30)) return static_cast<pid_t>(*pid);
  }
  return 0;
}

std::optional<ProcessUsage> ReadUsage(pid_t pid) {
  const auto fields = StatFields(pid);
  constexpr std::size_t kUser = 14 - 3;
  constexpr std::size_t kSystem = 15 - 3;
  constexpr std::size_t kResidentPages = 24 - 3;
  if (fields.size() <= kResidentPages) return std::nullopt;
  ProcessUsage usage;
  usage.state = fields[0].empty() ? '?' : fields[0][0];
  usage.parent = static_cast<pid_t>(std::atol(fields[1].c_str()));
  usage.cpu_ticks = std::strtoull(fields[kUser].c_str(), nullptr, 10) +
                    std::strtoull(fields[kSystem].c_str(), nullptr, 10);
  usage.resident = std::strtoull(fields[kResidentPages].c_str(), nullptr, 10) *
                   static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return usage;
}

bool HangsInKernel(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return false;
  const auto threads = ListDirectory(directory.get());
  if (!threads) return false;
  return std::any_of(threads->begin(), threads->end(), [&](const std::string& thread) {
    // A thread has an entry in /proc as a process has.
    const auto fields = StatFields(static_cast<pid_t>(std::atol(thread.c_str())));
    return !fields.empty() && fields[0] == "D";
  });
}

unsigned UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  unsigned cpus = 0;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    cpus = static_cast<unsigned>(CPU_COUNT(&set));
  } else {
    // More CPUs than cpu_set_t holds.
    const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
    cpus = online > 0 ? static_cast<unsigned>(online) : 1;
  }
  return std::max(1U, SmallerNonZero(cpus, CgroupCpus()));
}

std::vector<std::uint64_t> SocketsOf(pid_t pid) {
  std::vector<std::uint64_t> sockets;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return sockets;
  const auto names = ListDirectory(directory.get());
  if (!names) return sockets;
  for (const std::string& name : *names) {
    std::array<char, 64> target{};
    const ssize_t length =
        ::readlinkat(directory.get(), name.c_str(), target.data(), target.size() - 1);
    if (length <= 0) continue;
    const std::string link(target.data(), static_cast<std::size_t>(length));
    if (!StartsWith(link, "socket:[") || !EndsWith(link, "]")) continue;
    sockets.push_back(std::strtoull(link.c_str() + 8, nullptr, 10));
  }
  return sockets;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task/";
  const auto text = ReadFile(folder + std::to_string(pid) + "/children", 1U << 20);
  std::vector<pid_t> children;
  if (!text) return children;
  for (const std::string& child : Split(*text, ' ')) {
    if (!child.empty()) children.push_back(static_cast<pid_t>(std::atol(child.c_str())));
  }
  return children;
}

std::optional<PortHolder> FindPortHolder(std::uint16_t port) {
  std::set<std::uint64_t> inodes;
  CollectListeners("/proc/net/tcp", port, inodes);
  CollectListeners("/proc/net/tcp6", port, inodes);
  if (inodes.empty()) return std::nullopt;
  // A daemon of ours only keeps duplicates for its masters; the one to be named is who uses the
  // socket.
  std::optional<PortHolder> keeper;
  ProcessWalk processes;
  while (const pid_t pid = processes.Next()) {
    const std::vector<std::uint64_t> sockets = SocketsOf(pid);
    const bool holds = std::any_of(sockets.begin(), sockets.end(),
                                   [&](std::uint64_t inode) { return inodes.count(inode) > 0; });
    if (!holds) continue;
    const PortHolder holder{pid, CommandOf(pid)};
    if (holder.command != "slcd" && !StartsWith(holder.command, "slcd ")) return holder;
    keeper = holder;
  }
  return keeper;
}

Result<std::string> FindProgram(const std::string& name, const std::string& search_path) {
  const auto runnable = [](const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    if (runnable(name)) return name;
    return Error{ErrorCode::kNotFound, name + " is not an executable file"};
  }
  for (const std::string& directory : Split(search_path, ':')) {
    // An empty part means the current directory, which a supervisor must not search.
    if (directory.empty()) continue;
    const std::string candidate = directory + "/" + name;
    if (runnable(candidate)) return candidate;
  }
  return Error{ErrorCode::kNotFound,
               "program '" + name + "' not found in PATH (" + search_path + ")"};
}

std::string OwnDirectory() {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink("/proc/self/exe", target.data(), target.size() - 1);
  if (length <= 0) return ".";
  const std::string path(target.data(), static_cast<std::size_t>(length));
  return path.substr(0, path.rfind('/'));
}

}  // namespace slc
