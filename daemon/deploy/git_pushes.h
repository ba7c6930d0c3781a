// GitPushes: git's half of a push over HTTP: slcd runs it, since the gateway starts no programs and
// opens no files. Each service has a bare repository beside its releases, in which only git, as the
// user that the service runs as, reads and writes. Its hook (git_hook/) has what was pushed
// deployed, over a connection that is good for nothing else.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "daemon/commands/clients.h"
#include "daemon/core/registry.h"
#include "daemon/deploy/release_store.h"

namespace slc::deploy {

class GitPushes {
 public:
  static constexpr std::size_t kMost = 16;  // at once

  struct Hands {
    std::function<uv::DiskThread&()> disk;
    std::function<std::string()> hooks;  // the folder with pre-receive; empty: it is missing
    std::function<void()> reap;
  };
  // All is owned by the caller and outlives this.
  GitPushes(uv::Loop& loop, const Registry& registry, Clients& clients, const ReleaseStore& store,
            std::string home_key, Hands hands);
  ~GitPushes();
  GitPushes(const GitPushes&) = delete;
  GitPushes& operator=(const GitPushes&) = delete;

  // `fds`: see ServeGit. Answered when git has ended.
  void Serve(const Command& command, const ServeGit& body, std::vector<UniqueFd> fds);
  bool IsOurs(int pid) const { return children_.count(pid) > 0; }

  // A hook's connection: it may deploy to this service, on behalf of this principal.
  struct Grant {
    ServiceId service = 0;
    std::string principal;
  };
  // Null: the client is no hook.
  const Grant* GrantOf(ClientId client) const;
  void ForgetClient(ClientId client) { grants_.erase(client); }

 private:
  struct Child {
    Command command;
    Spawned process;
    std::unique_ptr<uv::Poll> end;
  };
  void Start(const Command& command, const ServeGit& body, ServiceId id,
             const std::optional<RunAs>& user, const std::string& repository,
             std::vector<UniqueFd> fds);
  void OnEnded(int pid);

  uv::Loop& loop_;
  const Registry& registry_;
  Clients& clients_;
  const ReleaseStore& store_;
  const std::string home_key_;
  Hands hands_;
  std::map<int, Child> children_;
  std::map<ClientId, Grant> grants_;
};

}  // namespace slc::deploy
