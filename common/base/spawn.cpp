#include "common/base/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "common/base/text.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace slc {
namespace {

enum class Step {
  kNone,
  kCgroup,
  kDescriptors,
  kLimit,
  kNice,
  kGroups,
  kUser,
  kPrivileges,
  kDirectory,
  kExec
};

// What the child needs, prepared by the parent: between clone and exec the child shares our memory
// and may only make system calls. glibc's set*id wrappers signal every thread of the process, which
// here would be the parent's, hence the raw system calls.
struct ChildPlan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  char* listen_pid = nullptr;  // digits are written here
  const char* directory = nullptr;
  int null_fd = -1;
  const std::pair<int, int>* descriptors = nullptr;
  std::size_t descriptor_count = 0;
  int highest = 2;
  const RunAs* run_as = nullptr;
  const rlimit* nofile = nullptr;
  const rlimit* core = nullptr;
  const int* nice = nullptr;
  int cgroup = -1;
  int oom_score = 0;
  bool new_session = true;
  const mode_t* file_mask = nullptr;
  sigset_t mask{};

  Step failed = Step::kNone;
  int reason = 0;
};

[[noreturn]] void Fail(ChildPlan* plan, Step step) {
  plan->failed = step;
  plan->reason = errno;
  ::_exit(127);
}

void WriteDigits(char* target, long number) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *target++ = digits[--count];
  *target = '\0';
}

void PlaceDescriptors(ChildPlan* plan) {
  // First lift everything above the highest target, so that no target overwrites a source still
  // needed.
  std::array<int, 64> lifted{};
  for (std::size_t i = 0; i < plan->descriptor_count; ++i) {
    lifted[i] = ::fcntl(plan->descriptors[i].first, F_DUPFD_CLOEXEC, plan->highest + 1);
    if (lifted[i] < 0) Fail(plan, Step::kDescriptors);
  }
  const int null_fd = ::fcntl(plan->null_fd, F_DUPFD_CLOEXEC, plan->highest + 1);
  if (null_fd < 0) Fail(plan, Step::kDescriptors);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(null_fd, fd) < 0) Fail(plan, Step::kDescriptors);
  }
  for (std::size_t i = 0; i < plan->descriptor_count; ++i) {
    if (::dup2(lifted[i], plan->descriptors[i].second) < 0) Fail(plan, Step::kDescriptors);
  }
  // Numbers up to `highest` that nobody named would be ours by accident.
  for (int fd = 3; fd <= plan->highest; ++fd) {
    bool named = false;
    for (std::size_t i = 0; i < plan->descriptor_count; ++i) {
      named = named || plan->descriptors[i].second == fd;
    }
    if (!named) ::close(fd);
  }
  if (::syscall(SYS_close_range, static_cast<unsigned>(plan->highest + 1), ~0U, 0) != 0) {
    Fail(plan, Step::kDescriptors);
  }
}

// Never lowers: that is refused to most, and whoever was given a higher score meant it.
void RaiseOomScore(int wanted) {
  const int fd = ::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  char text[16] = {};
  const ssize_t got = ::read(fd, text, sizeof(text) - 1);
  if (got > 0 && std::atoi(text) < wanted) {
    WriteDigits(text, wanted);
    // Where it is refused the worker runs as it would have without us.
    static_cast<void>(::pwrite(fd, text, std::strlen(text), 0) < 0);
  }
  ::close(fd);
}

void DropPrivileges(ChildPlan* plan) {
  const RunAs& target = *plan->run_as;
  if (::syscall(SYS_setgroups, target.groups.size(), target.groups.data()) != 0) {
    Fail(plan, Step::kGroups);
  }
  if (::syscall(SYS_setresgid, target.gid, target.gid, target.gid) != 0) Fail(plan, Step::kGroups);
  // The bounding set can only be cut while we still hold CAP_SETPCAP; where we never had that, the
  // change of uid below empties what counts.
  for (unsigned long capability = 0; capability <= 63; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (::syscall(SYS_setresuid, target.uid, target.uid, target.uid) != 0) Fail(plan, Step::kUser);
  if (target.uid != 0 && ::syscall(SYS_setuid, 0) == 0) {
    errno = EPERM;
    Fail(plan, Step::kUser);
  }
  // The change of uid leaves the inheritable set as it was, and under some securebits all of them.
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) Fail(plan, Step::kPrivileges);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail(plan, Step::kPrivileges);
}

int ChildMain(void* argument) {
  auto* plan = static_cast<ChildPlan*>(argument);
  // Handlers of ours must not run here; ignored signals would stay ignored over exec (Node and
  // others rely on the defaults).
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
  }
  if (plan->cgroup >= 0 && ::write(plan->cgroup, "0", 1) != 1) Fail(plan, Step::kCgroup);
  if (plan->new_session) ::setsid();
  if (plan->file_mask != nullptr) ::umask(*plan->file_mask);
  PlaceDescriptors(plan);
  if (plan->nofile != nullptr && ::setrlimit(RLIMIT_NOFILE, plan->nofile) != 0) {
    Fail(plan, Step::kLimit);
  }
  if (plan->core != nullptr && ::setrlimit(RLIMIT_CORE, plan->core) != 0) {
    Fail(plan, Step::kLimit);
  }
  if (plan->nice != nullptr && ::setpriority(PRIO_PROCESS, 0, *plan->nice) != 0) {
    Fail(plan, Step::kNice);
  }
  if (plan->oom_score > 0) RaiseOomScore(plan->oom_score);
  if (plan->run_as != nullptr) DropPrivileges(plan);
  if (plan->directory != nullptr && ::chdir(plan->directory) != 0) Fail(plan, Step::kDirectory);
  if (plan->listen_pid != nullptr) WriteDigits(plan->listen_pid, ::syscall(SYS_getpid));
  ::sigprocmask(SIG_SETMASK, &plan->mask, nullptr);
  ::execve(plan->program, plan->argv, plan->envp);
  Fail(plan, Step::kExec);
}

std::string Explain(const SpawnOptions& options, const ChildPlan& plan) {
  const std::string reason = std::strerror(plan.reason);
  switch (plan.failed) {
    case Step::kCgroup:
      return "enter its cgroup: " + reason;
    case Step::kDescriptors:
      return "hand over descriptors: " + reason;
    case Step::kLimit:
      return "set the limits of open files and core dumps: " + reason;
    case Step::kNice:
      return "set the niceness to " + std::to_string(*options.nice) + ": " + reason;
    case Step::kGroups:
      return "take on the groups of uid " + std::to_string(options.run_as->uid) + ": " + reason;
    case Step::kUser:
      return "become uid " + std::to_string(options.run_as->uid) + ": " + reason;
    case Step::kPrivileges:
      return "give up privileges: " + reason;
    case Step::kDirectory:
      return "enter directory " + options.working_directory + ": " + reason;
    case Step::kExec:
    case Step::kNone:
      break;
  }
  return "execute: " + reason;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What will be the same the next time is told from what the machine lacks for a moment.
ErrorCode CodeOf(int reason) {
  switch (reason) {
    case ENOENT:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
      return ErrorCode::kPermission;
    case E2BIG:
    case EINVAL:
    case EISDIR:
    case ELIBBAD:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOEXEC:
    case ENOTDIR:
      return ErrorCode::kInvalid;
    default:
      return ErrorCode::kSystem;
  }
}

}  // namespace

Result<Spawned> Spawn(const SpawnOptions& options) {
  const std::string what = "start " + options.program;
  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = options.environment;
  ChildPlan plan;
  if (options.listen_fds > 0) {
    environment.push_back("LISTEN_FDS=" + std::to_string(options.listen_fds));
    environment.push_back("LISTEN_PID=0000000000");
  }
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(environment);
  if (options.listen_fds > 0)
    plan.listen_pid = environment.back().data() + std::strlen("LISTEN_PID=");
  const UniqueFd null_fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_fd) return SystemError(what + ": open /dev/null", errno);
  if (options.descriptors.size() > 64) return Error{ErrorCode::kInternal, what + ": too many fds"};
  plan.program = options.program.c_str();
  plan.argv = argv.data();
  plan.envp = envp.data();
  plan.directory = options.working_directory.empty() ? nullptr : options.working_directory.c_str();
  plan.null_fd = null_fd.get();
  plan.descriptors = options.descriptors.data();
  plan.descriptor_count = options.descriptors.size();
  for (const auto& [ours, theirs] : options.descriptors) {
    plan.highest = std::max(plan.highest, theirs);
  }
  plan.run_as = options.run_as ? &*options.run_as : nullptr;
  plan.nofile = options.nofile ? &*options.nofile : nullptr;
  plan.core = options.core ? &*options.core : nullptr;
  plan.nice = options.nice ? &*options.nice : nullptr;
  plan.cgroup = options.cgroup;
  plan.oom_score = options.oom_score.value_or(0);
  plan.new_session = options.new_session;
  plan.file_mask = options.file_mask ? &*options.file_mask : nullptr;

  // The child runs on its own stack in our memory. It needs little: its frames are fixed size.
  constexpr std::size_t kStackSize = 64 * 1024;
  void* stack = ::mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return SystemError(what + ": stack", errno);
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &plan.mask);
  // The child gets an empty mask: ours is none of its business.
  sigset_t ours = plan.mask;
  ::sigemptyset(&plan.mask);
  int pidfd = -1;
  const int pid = ::clone(ChildMain, static_cast<char*>(stack) + kStackSize,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  const int clone_errno = errno;
  ::pthread_sigmask(SIG_SETMASK, &ours, nullptr);
#if defined(__SANITIZE_ADDRESS__)
  // The child has marked this memory as its frames and never returned from them.
  __asan_unpoison_memory_region(stack, kStackSize);
#endif
  ::munmap(stack, kStackSize);
  if (pid < 0) return SystemError(what + ": create a process", clone_errno);
  Spawned spawned;
  spawned.pidfd.reset(pidfd);
  if (plan.failed != Step::kNone) {
    ::waitpid(pid, nullptr, 0);
    return Error{CodeOf(plan.reason), what + ": " + Explain(options, plan)};
  }
  spawned.identity = IdentifyProcess(pid).value_or(ProcessIdentity{pid, 0});
  return spawned;
}

Result<RunAs> ResolveRunAs(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  RunAs target;
  const passwd* entry = nullptr;
  if (const auto number = ParseInteger(user, 0, 0xfffffffeLL)) {
    target.uid = static_cast<uid_t>(*number);
    entry = ::getpwuid(target.uid);
    target.gid = entry != nullptr ? entry->pw_gid : static_cast<gid_t>(*number);
  } else {
    entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return Error{ErrorCode::kNotFound, "there is no user '" + user + "'"};
    target.uid = entry->pw_uid;
    target.gid = entry->pw_gid;
  }
  const std::string login = entry != nullptr ? entry->pw_name : "";
  if (colon != std::string::npos) {
    const std::string name = text.substr(colon + 1);
    if (const auto number = ParseInteger(name, 0, 0xfffffffeLL)) {
      target.gid = static_cast<gid_t>(*number);
    } else {
      const group* found = ::getgrnam(name.c_str());
      if (found == nullptr) return Error{ErrorCode::kNotFound, "there is no group '" + name + "'"};
      target.gid = found->gr_gid;
    }
  }
  target.groups = {target.gid};
  if (!login.empty()) {
    int count = 256;
    target.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(login.c_str(), target.gid, target.groups.data(), &count) < 0) {
      return Error{ErrorCode::kSystem, "user '" + login + "' is in too many groups"};
    }
    target.groups.resize(static_cast<std::size_t>(count));
  }
  return target;
}

UserInfo LookUpUser(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  if (entry == nullptr) return {};
  return UserInfo{entry->pw_name, entry->pw_dir};
}

std::string NameOfUser(uid_t uid) {
  const std::string name = LookUpUser(uid).name;
  return name.empty() ? "uid " + std::to_string(uid) : name;
}

rlimit ForbidCoreDumps() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return {0, RLIM_INFINITY};
  rlimit forbidden = limit;
  // 0 forbids files only; at 1 nothing goes to a program named in core_pattern either (core(5)).
  forbidden.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1);
  ::setrlimit(RLIMIT_CORE, &forbidden);
  return limit;
}

}  // namespace slc
