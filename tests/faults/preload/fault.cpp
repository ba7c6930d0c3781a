// slc-fault.so: stands in for calls of the C library in slcd and slc-master under test, and fails,
// shortens or delays those a rule of the control page names (control.h). Loaded by LD_PRELOAD,
// which slcd and masters get from SLC_TEST_PRELOAD; workers never do.
//
// Without a control page every call is passed on. Nothing here allocates or locks: the calls come
// from a child between clone and exec too.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/faults/preload/control.h"

namespace {

using slc::fault::Control;
using slc::fault::Rule;

Control* control = nullptr;
char own_name[16];

// The calls are made by number where that is the same: no look-up, so also before constructors ran.
__attribute__((constructor)) void Attach() {
  const char* path = std::getenv("SLC_TEST_FAULTS");
  if (path == nullptr) return;
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  const long page =
      ::syscall(SYS_mmap, 0L, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
  ::syscall(SYS_close, fd);
  if (page == -1) return;
  std::strncpy(own_name, ::program_invocation_short_name, sizeof own_name - 1);
  control = reinterpret_cast<Control*>(page);
}

enum class Kind { kPlain, kWrites };

bool PathOf(int fd, char* path) {
  char link[40];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long length = ::syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1L);
  if (length < 0) return false;
  path[length] = '\0';
  return true;
}

// What the call is about, as far as rules ask for it.
struct Where {
  int fd = AT_FDCWD;
  const char* name = nullptr;  // relative to fd; nullptr: fd itself
};

bool IsBelow(const Where& where, const char* prefix) {
  if (prefix[0] == '\0') return true;
  const std::size_t length = std::strlen(prefix);
  if (where.name != nullptr && (where.name[0] == '/' || where.fd == AT_FDCWD)) {
    return std::strncmp(where.name, prefix, length) == 0;
  }
  char path[PATH_MAX];
  return PathOf(where.fd, path) && std::strncmp(path, prefix, length) == 0;
}

// The rule that hits this call; nullptr: none.
Rule* Hit(const char* call, Kind kind, const Where& where) {
  if (control == nullptr) return nullptr;
  for (Rule& rule : control->rules) {
    if (rule.armed.load(std::memory_order_acquire) == 0) continue;
    const bool named = std::strcmp(rule.call, call) == 0 ||
                       (kind == Kind::kWrites && std::strcmp(rule.call, "*w") == 0);
    if (!named) continue;
    if (rule.process[0] != '\0' && std::strcmp(rule.process, own_name) != 0) continue;
    const int before = errno;
    const bool below = IsBelow(where, rule.prefix);
    errno = before;
    if (!below) continue;
    const std::int64_t left = rule.before.fetch_sub(1);
    if (left > 0 || (left < 0 && rule.all == 0)) continue;
    rule.hits.fetch_add(1);
    return &rule;
  }
  return nullptr;
}

// True: the call fails, errno is set.
bool Fails(const char* call, Kind kind = Kind::kPlain, const Where& where = {}) {
  Rule* rule = Hit(call, kind, where);
  if (rule == nullptr) return false;
  while (rule->hang != 0 && rule->armed.load() != 0) {
    const timespec pause{0, 2'000'000};
    ::syscall(SYS_nanosleep, &pause, nullptr);
  }
  if (rule->error == 0 || rule->hang != 0) return false;
  errno = rule->error;
  return true;
}

bool IsFile(int fd) {
  struct stat info {};
  const int before = errno;
  const bool file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  errno = before;
  return file;
}

// -1: fails; else how much of `count` is to be written.
ssize_t Allowed(const char* call, int fd, std::size_t count) {
  if (control == nullptr || !IsFile(fd)) return static_cast<ssize_t>(count);
  Rule* rule = Hit(call, Kind::kWrites, {fd, nullptr});
  if (rule == nullptr) return static_cast<ssize_t>(count);
  while (rule->hang != 0 && rule->armed.load() != 0) {
    const timespec pause{0, 2'000'000};
    ::syscall(SYS_nanosleep, &pause, nullptr);
  }
  if (rule->hang != 0) return static_cast<ssize_t>(count);
  if (rule->part != 0 && count > 1) return static_cast<ssize_t>(count / 2);
  if (rule->error == 0) return static_cast<ssize_t>(count);
  errno = rule->error;
  return -1;
}

int OpenAt(int directory, const char* path, int flags, mode_t mode) {
  const bool writes = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
  // Whoever looks through all processes opens as many files as there happen to be.
  const char* call = std::strncmp(path, "/proc/", 6) == 0 ? "open-proc" : "open";
  if (Fails(call, writes ? Kind::kWrites : Kind::kPlain, {directory, path})) return -1;
  return static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
}

mode_t ModeOf(int flags, va_list arguments) {
  const bool has = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has ? va_arg(arguments, mode_t) : 0;
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(directory, path, flags, mode);
}
int openat64(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(directory, path, flags, mode);
}

ssize_t write(int fd, const void* data, std::size_t count) {
  const ssize_t allowed = Allowed("write", fd, count);
  return allowed < 0 ? -1 : ::syscall(SYS_write, fd, data, allowed);
}
ssize_t pwrite(int fd, const void* data, std::size_t count, off_t at) {
  const ssize_t allowed = Allowed("write", fd, count);
  return allowed < 0 ? -1 : ::syscall(SYS_pwrite64, fd, data, allowed, at);
}
ssize_t pwrite64(int fd, const void* data, std::size_t count, off_t at) {
  return pwrite(fd, data, count, at);
}
int fsync(int fd) {
  if (Fails("fsync", Kind::kWrites, {fd, nullptr})) return -1;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  if (Fails("fsync", Kind::kWrites, {fd, nullptr})) return -1;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
int ftruncate(int fd, off_t length) noexcept {
  if (Fails("ftruncate", Kind::kWrites, {fd, nullptr})) return -1;
  return static_cast<int>(::syscall(SYS_ftruncate, fd, length));
}
int ftruncate64(int fd, off_t length) noexcept { return ftruncate(fd, length); }

int rename(const char* from, const char* to) noexcept {
  if (Fails("rename", Kind::kWrites, {AT_FDCWD, from})) return -1;
  return static_cast<int>(::syscall(SYS_rename, from, to));
}
int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
  if (Fails("rename", Kind::kWrites, {from_at, from})) return -1;
  return static_cast<int>(::syscall(SYS_renameat, from_at, from, to_at, to));
}
int linkat(int from_at, const char* from, int to_at, const char* to, int flags) noexcept {
  if (Fails("link", Kind::kWrites, {from_at, from})) return -1;
  return static_cast<int>(::syscall(SYS_linkat, from_at, from, to_at, to, flags));
}
int unlinkat(int directory, const char* path, int flags) noexcept {
  if (Fails("unlink", Kind::kWrites, {directory, path})) return -1;
  return static_cast<int>(::syscall(SYS_unlinkat, directory, path, flags));
}
int mkdir(const char* path, mode_t mode) noexcept {
  if (Fails("mkdir", Kind::kWrites, {AT_FDCWD, path})) return -1;
  return static_cast<int>(::syscall(SYS_mkdir, path, mode));
}
int mkdirat(int directory, const char* path, mode_t mode) noexcept {
  if (Fails("mkdir", Kind::kWrites, {directory, path})) return -1;
  return static_cast<int>(::syscall(SYS_mkdirat, directory, path, mode));
}

int socket(int domain, int type, int protocol) noexcept {
  if (Fails("socket")) return -1;
  return static_cast<int>(::syscall(SYS_socket, domain, type, protocol));
}
int socketpair(int domain, int type, int protocol, int fds[2]) noexcept {
  if (Fails("socket")) return -1;
  return static_cast<int>(::syscall(SYS_socketpair, domain, type, protocol, fds));
}
int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (Fails("bind")) return -1;
  return static_cast<int>(::syscall(SYS_bind, fd, address, length));
}
int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  if (Fails("accept")) return -1;
  return static_cast<int>(::syscall(SYS_accept4, fd, address, length, flags));
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (Fails("sendmsg")) return -1;
  return ::syscall(SYS_sendmsg, fd, message, flags);
}
int memfd_create(const char* name, unsigned flags) noexcept {
  if (Fails("memfd_create")) return -1;
  return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
}
int pipe2(int fds[2], int flags) noexcept {
  if (Fails("pipe")) return -1;
  return static_cast<int>(::syscall(SYS_pipe2, fds, flags));
}
void* mmap(void* address, std::size_t length, int protection, int flags, int fd,
           off_t at) noexcept {
  if (Fails("mmap")) return MAP_FAILED;
  return reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, length, protection, flags, static_cast<long>(fd), at));
}
int execve(const char* program, char* const* arguments, char* const* environment) noexcept {
  if (Fails("exec")) return -1;
  return static_cast<int>(::syscall(SYS_execve, program, arguments, environment));
}
int clone(int (*function)(void*), void* stack, int flags, void* argument, ...) noexcept {
  if (Fails("clone")) return -1;
  va_list rest;
  va_start(rest, argument);
  auto* parent_tid = va_arg(rest, pid_t*);
  va_end(rest);
  using Clone = int(int (*)(void*), void*, int, void*, ...);
  return Next<Clone>("clone")(function, stack, flags, argument, parent_tid, nullptr, nullptr);
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                   void* argument) noexcept {
  if (Fails("thread")) return EAGAIN;
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  return Next<Create>("pthread_create")(thread, attributes, function, argument);
}

}  // extern "C"
