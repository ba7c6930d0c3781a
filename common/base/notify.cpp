#include "common/base/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "common/base/fd_passing.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr int kFirstListenFd = 3;
constexpr std::size_t kLongestKeptName = 255;
constexpr char kEscape = '%';

std::string Variable(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

bool Names(const Environment& environment, const char* variable, int pid) {
  return Variable(environment, variable) == std::to_string(pid);
}

std::string Own(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool IsPlain(char c) { return c >= ' ' && c <= '~' && c != ':' && c != kEscape; }

}  // namespace

Status NotifySupervisor(std::string_view text, const std::vector<int>& fds) {
  const std::string path = Own("NOTIFY_SOCKET");
  if (path.empty()) return Ok();
  const auto failed = [&](const std::string& why, ErrorCode code = ErrorCode::kUnreachable) {
    return Error{code, "tell the supervisor at " + path + ": " + why};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failed("the path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  // "@name" is how an abstract socket is written; its address begins with a NUL and has none after.
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      SendWithFds(socket.get(), text, fds.data(), fds.size()) < 0) {
    const ErrorCode code = IsNoRoom(errno) ? ErrorCode::kTimeout : ErrorCode::kUnreachable;
    return failed(std::strerror(errno), code);
  }
  return Ok();
}

Status KeepWithSupervisor(const std::string& name, int fd) {
  const std::string kept = ToKeptName(name);
  if (kept.empty()) return Error{ErrorCode::kInvalid, "keep " + name + ": the name is too long"};
  return NotifySupervisor("FDSTORE=1\nFDNAME=" + kept, {fd});
}

Status DropFromSupervisor(const std::string& name) {
  return NotifySupervisor("FDSTOREREMOVE=1\nFDNAME=" + ToKeptName(name));
}

std::vector<ReturnedFd> TakeFromSupervisor() {
  std::vector<ReturnedFd> taken;
  const auto count = ParseInteger(Own("LISTEN_FDS"), 0, 1 << 20).value_or(0);
  const auto names = Split(Own("LISTEN_FDNAMES"), ':');
  const bool ours = Own("LISTEN_PID") == std::to_string(::getpid());
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (!ours) return taken;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    UniqueFd fd(kFirstListenFd + static_cast<int>(i));
    if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
      fd.release();  // not open: not ours to close
      continue;
    }
    taken.push_back({i < names.size() ? FromKeptName(names[i]) : "", std::move(fd)});
  }
  return taken;
}

// SYSTEMD_EXEC_PID came with systemd 248; WATCHDOG_PID is older, and set when the unit has a
// watchdog, as ours has.
Supervision ReadSupervision(const Environment& environment, int self) {
  Supervision supervision;
  if (Variable(environment, "NOTIFY_SOCKET").empty()) return supervision;
  const bool watched = Names(environment, "WATCHDOG_PID", self);
  supervision.by_systemd = watched || Names(environment, "SYSTEMD_EXEC_PID", self);
  const auto micros = ParseInteger(Variable(environment, "WATCHDOG_USEC"), 1, INT64_MAX);
  if (watched && micros) supervision.watchdog = *micros / 1000;
  return supervision;
}

std::string ToKeptName(std::string_view name) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string kept;
  for (const char c : name) {
    if (IsPlain(c)) {
      kept += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    kept += {kEscape, kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return kept.size() <= kLongestKeptName ? kept : std::string();
}

std::string FromKeptName(std::string_view kept) {
  std::string name;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] != kEscape || i + 2 >= kept.size()) {
      name += kept[i];
      continue;
    }
    name += static_cast<char>(std::strtol(std::string(kept.substr(i + 1, 2)).c_str(), nullptr, 16));
    i += 2;
  }
  return name;
}

}  // namespace slc
