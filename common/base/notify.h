// Notify: what we tell whoever supervises us, and what it keeps for us. The words are those of
// sd_notify(3), understood by systemd and by container engines: a datagram of VARIABLE=VALUE lines
// to the unix socket that NOTIFY_SOCKET names. Spoken by our own few lines, because libsystemd is a
// large dependency for one sendmsg.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/environment.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc {

// "READY=1", "STATUS=serves\nREADY=1" and so on; with duplicates of `fds`, at most
// kMaxFdsPerMessage. Never blocks. Success when nobody supervises us. kTimeout: the supervisor
// takes nothing now, but will. kUnreachable: it is not there.
Status NotifySupervisor(std::string_view text, const std::vector<int>& fds = {});

// Has systemd keep a duplicate of `fd` under `name` as long as the service is not stopped, over the
// death of this process; a second one of the same name is kept beside the first.
Status KeepWithSupervisor(const std::string& name, int fd);
// Has it let go of all that it keeps under `name`.
Status DropFromSupervisor(const std::string& name);

// What systemd kept, by name, and sockets it has opened for us (LISTEN_FDS). They are made
// close-on-exec, and the variables are removed from our environment: the next caller gets nothing.
struct ReturnedFd {
  std::string name;
  UniqueFd fd;
};
std::vector<ReturnedFd> TakeFromSupervisor();

// Who watches over us, from the variables it has set.
struct Supervision {
  // systemd has started exactly this process as the main one of a service, and will start its
  // successor. It has not if NOTIFY_SOCKET was merely inherited, from a shell within some service.
  bool by_systemd = false;
  // It wants a sign of life, WATCHDOG=1, at least this often; 0: none is wanted.
  Millis watchdog = 0;
};
// Pure. `self` is the caller's pid.
Supervision ReadSupervision(const Environment& environment, int self);

// A name as systemd takes it (printable ASCII without ':', at most 255 bytes), and the name it
// stands for. Empty if `name` is too long for that.
std::string ToKeptName(std::string_view name);
std::string FromKeptName(std::string_view kept);

}  // namespace slc
