// DeployContext: what is the same for all deploys of a slcd. All of it outlives them.
#pragma once

#include <functional>
#include <string>

#include "common/base/ids.h"
#include "common/model/journal.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "daemon/commands/changes.h"
#include "daemon/commands/clients.h"
#include "daemon/core/registry.h"
#include "daemon/deploy/release_store.h"
#include "daemon/services.h"

namespace slc::deploy {

struct DeployContext {
  uv::Loop& loop;
  uv::DiskThread& disk;  // for releases only
  const ReleaseStore& store;
  const Registry& registry;
  Services& services;
  Changes& changes;
  Clients& clients;
  std::string home_key;                   // what cookies begin with
  std::function<std::string()> unpacker;  // path of slc-unpack
  std::function<void()> reap;             // a child may have ended behind ours
  std::function<void(ServiceId id, JournalRecord record)> record;
};

}  // namespace slc::deploy
