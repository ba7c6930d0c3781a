// Deploys: the deploys and rollbacks of slcd: takes the requests, sees that there is one of a
// service at a time and not too many of all, and, when slcd starts, has those of the slcd before
// seen to their end and clears away what is left of others.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/uv/disk_thread.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"
#include "daemon/deploy/deploy.h"
#include "daemon/deploy/deploy_context.h"
#include "daemon/deploy/git_pushes.h"
#include "daemon/deploy/release_store.h"

namespace slc::deploy {

class Deploys {
 public:
  // At once: each may be an npm, which takes a CPU and some hundred MB.
  static constexpr std::size_t kMost = 8;

  struct Hands {
    std::function<std::string()> unpacker;
    std::function<std::string()> hooks;  // see GitPushes
    std::function<void()> reap;
    std::function<void(ServiceId id, JournalRecord record)> record;
  };
  // All is owned by the caller and outlives this. `home`: the open directory, and its path.
  Deploys(uv::Loop& loop, const Registry& registry, Services& services, Changes& changes,
          Clients& clients, int home, const std::string& path, std::string home_key, Hands hands);
  ~Deploys();
  Deploys(const Deploys&) = delete;
  Deploys& operator=(const Deploys&) = delete;

  // slcd has started, and the wishes are loaded; no master has been told yet. Blocks on the disk.
  void Begin();

  // These answer the command. `fds`: what came with it.
  void Handle(const Command& command, const slc::Deploy& body, std::vector<UniqueFd> fds);
  void Handle(const Command& command, const slc::Rollback& body);
  void Handle(const Command& command, const ListReleases& body);
  void Handle(const Command& command, const ServeGit& body, std::vector<UniqueFd> fds) {
    git_.Serve(command, body, std::move(fds));
  }
  // What a client that is a hook of git asks for becomes what it may. kPermission: it is something
  // else. Other clients are passed over.
  Status Restrict(ClientId client, Request& request) const;
  void ForgetClient(ClientId client) { git_.ForgetClient(client); }

  void OnFacts(ServiceId id);
  void OnNotice(ServiceId id, const link::Notice& notice);
  // The wish has become another, or is gone.
  void OnChanged(ServiceId id);
  // Why a change of the service cannot be now; nothing: it can.
  std::optional<Error> Refusal(ServiceId id) const;
  void Cancel(ServiceId id, const std::string& reason);
  void CancelAll(const std::string& reason);
  // Something is under way.
  bool busy() const { return !deploys_.empty(); }
  bool IsOurs(int pid) const;

 private:
  void Start(const Command& command, ServiceId id, const slc::Deploy& body, UniqueFd archive);
  // Why none can be begun now.
  Status Check(ServiceId id);
  Deploy& Add(const Command& command, ServiceId id);
  void Resume(ServiceId id);
  std::vector<std::string> InUse(ServiceId id) const;
  uv::DiskThread& disk();
  void Sweep();
  void Clear(ServiceId id);

  uv::Loop& loop_;
  const Registry& registry_;
  Services& services_;
  Changes& changes_;
  Clients& clients_;
  const ReleaseStore store_;
  const std::string home_key_;
  Hands hands_;
  GitPushes git_;
  std::optional<DeployContext> context_;  // from the first deploy on
  std::map<ServiceId, std::unique_ptr<Deploy>> deploys_;
  std::vector<ServiceId> over_;
  uv::Timer sweep_;
  std::unique_ptr<uv::DiskThread> disk_;  // the same: it ends before what its jobs are about
};

// Who asks, as a release's record keeps it.
std::string WhoDeploys(const Command& command);

}  // namespace slc::deploy
