// Processes of this machine. A pid alone names nobody: it is reused within minutes on a busy
// machine. A process is pid + start time + boot; signals go only through a pidfd that was checked
// against that.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot, field 22 of /proc/PID/stat

  bool operator==(const ProcessIdentity&) const = default;
};

// The identity of a living (or not yet reaped) process; nothing if there is none.
std::optional<ProcessIdentity> IdentifyProcess(pid_t pid);
ProcessIdentity IdentifySelf();

// The kernel's random id of this boot; facts under the run directory are void when it differs.
std::string BootId();

// A pidfd of exactly this process: opened first, then the start time is compared, so a stranger who
// got the pid is never taken for it. Empty if it is gone.
UniqueFd OpenProcess(const ProcessIdentity& identity);

// Sends through the pidfd. False if the process is gone.
bool SignalProcess(const UniqueFd& pidfd, int signal);

// True once the process has ended (pidfd readable). Waits up to `timeout_ms`.
bool HasEnded(const UniqueFd& pidfd, int timeout_ms);

// Wait status of an ended child, reaping it; nothing if it is not our child or has not ended.
std::optional<int> Reap(const UniqueFd& pidfd);
// By SIGKILL, as far as is known.
bool WasKilled(std::optional<int> wait_status);

// A process and the session it is in: the pid of the one that began it.
struct SessionMember {
  ProcessIdentity process;
  pid_t session = 0;
};
std::optional<SessionMember> ReadSession(pid_t pid);

// Which program a process executes, by where the kernel has laid it out: each exec gives another
// one, since places are drawn by lot.
struct ProcessImage {
  std::uint64_t code = 0;  // 0: in the middle of an exec; its environment cannot be read yet
  std::uint64_t stack = 0;
  std::uint64_t environment = 0;

  bool operator==(const ProcessImage&) const = default;
};
// Nothing for kernel threads and the dead, which have no memory.
std::optional<ProcessImage> ReadImage(pid_t pid);

// The processes of this machine one by one, in the order of their pids. One that begins meanwhile
// is met if its pid is still to come.
class ProcessWalk {
 public:
  ProcessWalk();
  ~ProcessWalk();
  ProcessWalk(const ProcessWalk&) = delete;
  ProcessWalk& operator=(const ProcessWalk&) = delete;

  // 0 at the end.
  pid_t Next();

 private:
  DIR* directory_;
};

// Every supervised process has this in its environment from exec on, and its children inherit it
// (see leftovers.h).
inline constexpr const char* kCookieVariable = "SLC_COOKIE";

// A wait status as a shell tells it: the exit code, or 128 + the signal that killed the process.
int ShellExitCode(int wait_status);

struct ProcessUsage {
  std::uint64_t cpu_ticks = 0;  // user + system, clock ticks (sysconf(_SC_CLK_TCK))
  std::uint64_t resident = 0;   // bytes
  char state = '?';             // R, S, D, Z, T, ...
  pid_t parent = 0;
};
std::optional<ProcessUsage> ReadUsage(pid_t pid);

// One of its threads is in a call that nothing interrupts, as those for a disk that hangs: not even
// SIGKILL ends the process before that returns.
bool HangsInKernel(pid_t pid);

// CPUs this process may use: the scheduler's affinity, bounded by the cgroup's CPU quota (v2 or v1,
// rounded up); at least 1.
unsigned UsableCpus();

// Inodes of the sockets that a process has open; none if /proc does not let us see them.
std::vector<std::uint64_t> SocketsOf(pid_t pid);

// What its main thread has forked and not reaped.
std::vector<pid_t> ChildrenOf(pid_t pid);

// The pid that listens on TCP `port` and its command line, as far as /proc lets us see; nothing if
// nobody or not visible to this user.
struct PortHolder {
  pid_t pid = 0;
  std::string command;
};
std::optional<PortHolder> FindPortHolder(std::uint16_t port);

// Absolute path of a program: as is when it holds a '/', else looked up in `search_path` (PATH
// syntax).
Result<std::string> FindProgram(const std::string& name, const std::string& search_path);

// Directory of the running binary. Siblings and ../lib/slc are looked up relative to it.
std::string OwnDirectory();

}  // namespace slc
