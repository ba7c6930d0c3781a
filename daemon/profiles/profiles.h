// Profiles: what slcd keeps of looks into workers. Something makes a result for a worker; it is
// stored, and there is a row that tells what has become of it.
//
// Promises: a row is durable before anything is asked of the worker, and whoever asked hears its id
// once the worker has begun. A file is there whole or not at all, whoever is killed when. Nothing
// of a result is on the loop's thread, nor in memory as a whole. One at a time of each worker. What
// there is stays within ShelfBounds: the oldest go when a new one is whole, so that one that fails
// costs none; one that is larger than all may be is refused while it comes.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/unique_fd.h"
#include "common/model/profile.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "daemon/commands/clients.h"
#include "daemon/commands/worker_looks.h"
#include "daemon/core/registry.h"
#include "daemon/profiles/core/shelf.h"
#include "daemon/profiles/profile_store.h"
#include "daemon/profiles/pump.h"
#include "daemon/services.h"

namespace slc::profiles {

class Profiles {
 public:
  // At once: each is a thread, and writes as fast as the disk takes it.
  static constexpr std::size_t kMost = 8;

  // All is owned by the caller and outlives this. `home`: the open directory.
  Profiles(uv::Loop& loop, const Registry& registry, Services& services, WorkerLooks& looks,
           Clients& clients, int home);
  // Breaks off what is under way.
  ~Profiles();
  Profiles(const Profiles&) = delete;
  Profiles& operator=(const Profiles&) = delete;

  // slcd has started, and the wishes are loaded.
  void Begin();

  // These answer the command.
  void Handle(const Command& command, const CaptureProfile& body);
  void Handle(const Command& command, const ListProfiles& body);
  void Handle(const Command& command, const ReadProfile& body);
  void Handle(const Command& command, const RemoveProfile& body);

  // Stores what `make` brings, which is called with whom to give the stream, or why there will be
  // none; `begun` is called once: with the row, or why there is none.
  using OnStream = std::function<void(Result<UniqueFd> stream)>;
  using Make = std::function<void(OnStream on_stream)>;
  using OnBegun = std::function<void(const Result<Profile>& profile)>;
  void Store(Profile draft, Make make, OnBegun begun);

  // The wish has become another, or is gone.
  void OnChanged(ServiceId id);
  // Which of its workers are being looked into.
  void Describe(ServiceView& view) const;
  // Something is under way.
  bool busy() const { return !captures_.empty(); }

 private:
  struct Capture {
    Profile profile;  // its id is 0 until it has a row
    Make make;
    OnBegun begun;
    UniqueFd part;
    UniqueFd stream;
    std::optional<Pump> pump;
    std::string failure;
    bool unwanted = false;                   // it is to leave nothing
    std::unique_ptr<uv::DiskThread> thread;  // the last: it ends before what its job is about
  };

  uv::DiskThread& disk();
  Status Check(const Profile& draft) const;
  void Reserved(Capture& capture);
  void Streams(Capture& capture, Result<UniqueFd> stream);
  void Refuse(Capture& capture, const Error& error);
  void Pumped(Capture& capture);
  void Drop(Capture& capture);
  void Forget(const Profile& profile);
  void Prune();
  void Clear(ServiceId id);
  // Looks for it on the disk, then calls `then` in the loop. What is under way is shown as it is.
  void Find(const Command& command, const std::string& service, ProfileId id,
            std::function<void(const Profile& profile)> then);
  // As people see it, of what the disk has; nothing if it is not to be seen any more.
  std::optional<Profile> Shown(Profile profile) const;
  Capture* UnderWay(ProfileId id) const;
  // 0 for all; an error has been answered then.
  std::optional<ServiceId> ServiceOf(const Command& command, const std::string& service) const;

  uv::Loop& loop_;
  const Registry& registry_;
  Services& services_;
  WorkerLooks& looks_;
  Clients& clients_;
  const ProfileStore store_;
  const ShelfBounds bounds_;
  std::list<std::unique_ptr<Capture>> captures_;
  // Why they failed, of those whose record could not be told.
  std::map<ProfileId, std::string> untold_;
  std::unique_ptr<uv::DiskThread> disk_;  // the last: it ends before what its jobs are about
};

}  // namespace slc::profiles
