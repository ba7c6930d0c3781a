// Spawn: starts a process with exactly the descriptors, identity, limits and environment it is
// given.
//
// Our own vfork-style clone instead of uv_spawn, because a worker needs what that cannot do: close
// every other descriptor, drop groups and privileges, start a session, write LISTEN_PID with its
// own pid, and be watched by a pidfd from birth. The parent stands still until exec (CLONE_VFORK),
// so a failure is known, with its step, when Spawn returns.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

struct SpawnOptions {
  std::string program;                   // absolute path
  std::vector<std::string> arguments;    // argv, [0] included
  std::vector<std::string> environment;  // "KEY=VALUE"
  std::string working_directory;         // empty: keep ours. Entered as the target user
  // (ours, theirs): the child sees descriptor `ours` as number `theirs`. 0, 1 and 2 that are not
  // named are /dev/null. Everything else is closed.
  std::vector<std::pair<int, int>> descriptors;
  std::optional<RunAs> run_as;   // needs root; also sets no_new_privs, drops capabilities
  std::optional<rlimit> nofile;  // soft and hard limit of open files
  std::optional<rlimit> core;    // of core dumps
  std::optional<int> nice;       // -20..19
  int cgroup = -1;               // the cgroup.procs of the group to enter; -1: ours
  // Raises how soon the kernel chooses it when memory runs out (/proc/PID/oom_score_adj) to at
  // least this; what cannot be written stays as it is.
  std::optional<int> oom_score;
  bool new_session = true;
  std::optional<mode_t> file_mask;  // umask; else ours
  int listen_fds = 0;               // > 0: LISTEN_FDS and LISTEN_PID are set for fds 3...
};

struct Spawned {
  ProcessIdentity identity;
  UniqueFd pidfd;
};

// Errors name the step and the file: "start /usr/bin/node: enter directory /srv/app: Permission
// denied". kSystem is what may pass by itself (no process, no memory, a disk that fails); what will
// be the same the next time is kNotFound, kPermission or kInvalid.
Result<Spawned> Spawn(const SpawnOptions& options);

// "user", "user:group" or numbers, with the user's supplementary groups. kNotFound if unknown.
Result<RunAs> ResolveRunAs(const std::string& text);

// Home directory and login name of a uid; empty if unknown.
struct UserInfo {
  std::string name;
  std::string home;
};
UserInfo LookUpUser(uid_t uid);
// The login name, or "uid 1000".
std::string NameOfUser(uid_t uid);

// No core dump of ours: it would hold the environments of services, secrets and all. Returns the
// limit as it was, to be given back to children.
rlimit ForbidCoreDumps();

}  // namespace slc
