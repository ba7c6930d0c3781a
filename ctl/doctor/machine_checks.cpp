#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>

#include "common/base/files.h"
#include "common/base/text.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

std::optional<std::uint64_t> ReadNumber(const std::string& path) {
  const auto text = ReadFile(path, 256);
  const auto number = text ? ParseInteger(Trim(*text), 0, INT64_MAX) : std::nullopt;
  return number ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(*number)) : std::nullopt;
}

// "Max open files            1024                 524288               files"
std::optional<FileLimit> LimitOf(pid_t pid) {
  const auto text = ReadFile("/proc/" + std::to_string(pid) + "/limits", 1U << 16);
  if (!text) return std::nullopt;
  for (const std::string& line : Split(*text, '\n')) {
    FileLimit limit;
    unsigned long long soft = 0;
    unsigned long long hard = 0;
    if (std::sscanf(line.c_str(), "Max open files %llu %llu", &soft, &hard) != 2) continue;
    limit.soft = soft;
    limit.hard = hard;
    return limit;
  }
  return std::nullopt;
}

FileLimit OwnLimit() {
  rlimit own{};
  ::getrlimit(RLIMIT_NOFILE, &own);
  return FileLimit{own.rlim_cur, own.rlim_max};
}

std::uint64_t WorkersOf(const Patient& patient) {
  std::uint64_t workers = 0;
  for (const Wish& wish : patient.wishes) {
    if (wish.run) workers += wish.size == kSizeCpu ? UsableCpus() : wish.size;
  }
  return workers;
}

struct ProcessCount {
  std::uint64_t all = 0;  // threads count, they have pids too
  std::uint64_t own = 0;
};
ProcessCount CountProcesses() {
  ProcessCount count;
  ProcessWalk walk;
  while (const pid_t pid = walk.Next()) {
    const auto status = ReadFile("/proc/" + std::to_string(pid) + "/status", 1U << 16);
    if (!status) continue;
    std::uint64_t threads = 1;
    bool own = false;
    for (const std::string& line : Split(*status, '\n')) {
      unsigned uid = 0;
      unsigned long long number = 0;
      if (std::sscanf(line.c_str(), "Uid: %u", &uid) == 1) own = uid == ::geteuid();
      if (std::sscanf(line.c_str(), "Threads: %llu", &number) == 1) threads = number;
    }
    count.all += threads;
    if (own) count.own += threads;
  }
  return count;
}

}  // namespace

Finding JudgeKernel(const std::string& release) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) {
    return Warn("kernel", "Linux " + release + ", which is no version that is understood",
                "5.11 or newer is needed");
  }
  if (major < 5 || (major == 5 && minor < 11)) {
    return Wrong("kernel", "Linux " + release, "5.11 or newer is needed");
  }
  return Good("kernel", "Linux " + release);
}

Finding JudgeFileLimit(const FileLimit& limit, std::uint64_t workers, bool of_daemon) {
  // slcd holds a channel and two log pipes of each worker, and of each service a handful; the rest
  // is for clients.
  constexpr std::uint64_t kPerWorker = 4;
  constexpr std::uint64_t kOthers = 200;
  constexpr std::uint64_t kUsual = 4096;
  const std::string text = std::string(of_daemon ? "slcd" : "a slcd started here") + " may have " +
                           std::to_string(limit.hard) + " open files";
  const std::string advice =
      "raise the hard limit: LimitNOFILE= of the unit, or nofile in /etc/security/limits.conf";
  if (limit.hard < kOthers + kPerWorker * workers) {
    return Wrong("open files", text + ", too few for " + std::to_string(workers) + " workers",
                 advice);
  }
  if (limit.hard < kUsual) return Warn("open files", text, advice);
  if (of_daemon && limit.soft < limit.hard) {
    return Warn("open files", text + ", but limits itself to " + std::to_string(limit.soft),
                "start it anew");
  }
  return Good("open files", text);
}

Finding JudgeQueue(std::uint64_t somaxconn) {
  const std::string text = "net.core.somaxconn is " + std::to_string(somaxconn);
  constexpr std::uint64_t kEnough = 1024;
  if (somaxconn >= kEnough) return Good("queue", text);
  return Warn("queue", text + ": so many connections wait, more are not answered",
              "sysctl net.core.somaxconn=4096");
}

Finding JudgeProcesses(std::uint64_t processes, std::uint64_t most) {
  const std::string text =
      std::to_string(processes) + " of " + std::to_string(most) + " processes and threads";
  if (most == 0 || processes * 10 <= most * 8) return Good("processes", text);
  return Warn("processes", text,
              "more than that cannot be started: raise ulimit -u, TasksMax= or "
              "kernel.pid_max, or find out who starts so many");
}

Finding JudgeClock(Millis wall, const std::string& boot_id) {
  constexpr Millis kLongAgo = 1'704'067'200'000;  // 2024
  if (boot_id.empty()) {
    return Wrong("clock", "the kernel tells no id of this boot",
                 "mount /proc: without it nobody knows what is left from before a reboot");
  }
  if (wall < kLongAgo) {
    return Warn("clock", "it is " + FormatIso(wall) + ", says the clock",
                "set it: certificates and times in logs depend on it, slc itself does not");
  }
  return Good("clock", FormatIso(wall));
}

Findings CheckMachine(const Patient& patient) {
  Findings findings;
  utsname system{};
  ::uname(&system);
  findings.push_back(JudgeKernel(system.release));
  const auto daemon = patient.holder ? LimitOf(patient.holder->pid) : std::nullopt;
  findings.push_back(
      JudgeFileLimit(daemon.value_or(OwnLimit()), WorkersOf(patient), daemon.has_value()));
  if (const auto queue = ReadNumber("/proc/sys/net/core/somaxconn")) {
    findings.push_back(JudgeQueue(*queue));
  }
  const ProcessCount count = CountProcesses();
  rlimit own{};
  const bool bounded = ::getrlimit(RLIMIT_NPROC, &own) == 0 && own.rlim_cur != RLIM_INFINITY;
  // root is bound by the machine alone.
  if (bounded && ::geteuid() != 0) {
    findings.push_back(JudgeProcesses(count.own, own.rlim_cur));
  } else if (const auto most = ReadNumber("/proc/sys/kernel/pid_max")) {
    findings.push_back(JudgeProcesses(count.all, *most));
  }
  findings.push_back(JudgeClock(WallNow(), BootId()));
  return findings;
}

}  // namespace slc::ctl
