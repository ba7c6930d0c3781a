// DaemonContext: what is the same for all instances of a daemon.
#pragma once

#include <sys/resource.h>

#include <functional>
#include <string>

#include "common/base/ids.h"
#include "common/base/installation.h"
#include "daemon/fd_store.h"
#include "daemon/previous_version.h"
#include "daemon/traces.h"

namespace slc {

struct DaemonContext {
  int instances = -1;  // directory run/instances
  Epoch epoch = 0;
  std::string home;            // its path
  std::string logs;            // path of logs/
  std::string home_key;        // identifies this home in cookies
  std::string daemon_program;  // for masters that miss us
  std::string master_program;
  const PreviousVersion* previous = nullptr;  // there always is one, too
  Installation installed;                     // what `slc upgrade` goes to
  rlimit nofile{};                            // what we were started with, for workers
  rlimit core{};                              // the same
  bool revive = true;                         // masters may start a new daemon
  bool foreground = false;                    // `slc run`: workers' output goes to our stdout
  FdStore* fd_store = nullptr;                // there always is one, and it outlives all instances
  Traces* traces = nullptr;                   // the same
  // False: another slcd serves the home by now. Masters are its own, and we are about to leave.
  std::function<bool()> is_ours;
  // Whatever is taken out of the run directory of this instance leads to a Rehouse().
  std::function<void(ServiceId)> watch_directory;
};

}  // namespace slc
