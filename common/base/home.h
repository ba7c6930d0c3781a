// Home: where everything of one daemon lives.
//
//     $SLC_HOME, else ~/.slc; for root /var/lib/slc with its run directory in /run/slc
//     HOME/services/ID.json   the wish, durable           HOME/run/slcd.sock, slcd.lock
//     HOME/logs/NAME/         out.log, err.log            HOME/run/instances/ID/   facts of this
//     boot
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

struct HomePaths {
  std::string home;
  std::string run;
};

// Pure: from the environment and the uid. An empty `slc_home` means unset; `user_home` is ~ of
// `uid`. kNotFound when there is nothing to derive a home from.
Result<HomePaths> LocateHome(const std::string& slc_home, const std::string& user_home, bool root);

// The same for the calling process. Relative values of SLC_HOME are resolved against the current
// directory.
Result<HomePaths> LocateOwnHome();

// Open directories of a home.
struct HomeDirectories {
  UniqueFd home;
  UniqueFd services;
  UniqueFd logs;
  UniqueFd run;
  UniqueFd instances;
};
// Makes what is missing, each 0700.
Result<HomeDirectories> OpenHome(const HomePaths& paths);

// True if the home records at least one service: then any command starts the daemon.
bool HomeHasServices(const HomePaths& paths);
// True if there may be masters that run: each has a folder below run/instances.
bool HomeHasMasters(const HomePaths& paths);

inline constexpr const char* kDaemonSocket = "slcd.sock";
inline constexpr const char* kDaemonLock = "slcd.lock";

}  // namespace slc
