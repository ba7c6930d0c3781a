#include "daemon/master_spawn.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/base/environment.h"
#include "common/base/fd_passing.h"
#include "common/base/spawn.h"

namespace slc {
namespace {

// Descriptor numbers a master is started with.
constexpr int kMasterLink = 3;
constexpr int kMasterDirectory = 4;

}  // namespace

Result<SpawnedMaster> SpawnMaster(const DaemonContext& context, const std::string& service,
                                  int directory, const std::string& program) {
  SocketPair pair = MakeSocketPair(SOCK_SEQPACKET);
  if (!pair.first) return SystemError("make its link", errno);
  SpawnOptions options;
  options.program = program;
  options.arguments = {"slc-master",  service,
                       "--link",      std::to_string(kMasterLink),
                       "--directory", std::to_string(kMasterDirectory)};
  // A copy of it that is kept elsewhere would look for its agent in vain.
  if (program != context.installed.master()) {
    options.arguments.insert(options.arguments.end(), {"--installed", context.installed.directory});
  }
  options.environment = SanitizerOptions();
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  options.descriptors = {{pair.second.get(), kMasterLink}, {directory, kMasterDirectory}};
  if (context.foreground) {
    options.descriptors.emplace_back(STDOUT_FILENO, STDOUT_FILENO);
    options.descriptors.emplace_back(STDERR_FILENO, STDERR_FILENO);
  }
  // The master raises its own limit again and must know what to give back to workers.
  options.nofile = context.nofile;
  options.core = context.core;
  options.working_directory = "/";
  auto spawned = Spawn(options);
  if (!spawned) return spawned.error();
  return SpawnedMaster{spawned->identity, std::move(spawned->pidfd), std::move(pair.first)};
}

}  // namespace slc
