#include "daemon/deploy/deploys.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "daemon/deploy/core/releases.h"

namespace slc::deploy {
namespace {

void Apply(const slc::Deploy& body, ReleasePolicy& policy) {
  if (body.keep) policy.keep = *body.keep;
  if (body.canary_time) policy.canary_time = *body.canary_time;
  if (body.health) policy.health = *body.health;
  if (body.npm) policy.npm = *body.npm;
}

Release ReleaseOf(const Command& command, const slc::Deploy& body) {
  Release release;
  if (body.origin == ReleaseOrigin::kFolder) release = ReleaseStore::OfFolder(body.folder);
  release.origin = body.origin;
  release.branch = body.branch;
  if (body.origin == ReleaseOrigin::kGit) release.hash = body.commit;
  release.by = WhoDeploys(command);
  release.when = WallNow();
  return release;
}

Status CheckBody(const slc::Deploy& body, bool archive) {
  if (body.origin == ReleaseOrigin::kFolder) {
    if (!body.folder.empty() && body.folder[0] == '/') return Ok();
    return Error{ErrorCode::kInvalid, "the folder to be run must be an absolute path"};
  }
  if (body.origin == ReleaseOrigin::kGit && !IsReleaseName(body.commit)) {
    return Error{ErrorCode::kInvalid,
                 "'" + Printable(body.commit.substr(0, 80)) + "' is no commit"};
  }
  if (!archive) return Error{ErrorCode::kUsage, "no archive came with the request"};
  return Ok();
}

}  // namespace

std::string WhoDeploys(const Command& command) {
  if (!command.request.principal.empty()) return command.request.principal;
  return NameOfUser(command.peer.uid);
}

Deploys::Deploys(uv::Loop& loop, const Registry& registry, Services& services, Changes& changes,
                 Clients& clients, int home, const std::string& path, std::string home_key,
                 Hands hands)
    : loop_(loop),
      registry_(registry),
      services_(services),
      changes_(changes),
      clients_(clients),
      store_(home, path),
      home_key_(std::move(home_key)),
      hands_(std::move(hands)),
      git_(loop, registry, clients, store_, home_key_,
           GitPushes::Hands{[this]() -> uv::DiskThread& { return disk(); },
                            [this] { return hands_.hooks(); }, [this] { hands_.reap(); }}),
      sweep_(loop, [this] { Sweep(); }) {}

Deploys::~Deploys() = default;

// Most slcds never deploy: no thread for them.
uv::DiskThread& Deploys::disk() {
  if (!disk_) {
    disk_ = std::make_unique<uv::DiskThread>(loop_);
    context_.emplace(DeployContext{loop_, *disk_, store_, registry_, services_, changes_, clients_,
                                   home_key_, hands_.unpacker, hands_.reap, hands_.record});
  }
  return *disk_;
}

// ------------------------------------------------------------------------------------------------
// when slcd starts

void Deploys::Begin() {
  for (const ServiceId id : store_.Services()) {
    if (registry_.Get(id) == nullptr) {
      // A quarantined one may be repaired.
      if (registry_.GetQuarantined(id) == nullptr) Clear(id);
      continue;
    }
    Resume(id);
  }
  for (const auto& [id, wish] : registry_.wishes()) {
    if (!wish.trial || deploys_.count(id) > 0) continue;
    // Nobody else would ever end it.
    log::Warn("service " + wish.spec.name + ": a release is on trial, and the record of its " +
              "deploy is lost; it is rolled");
    changes_.Switch(
        id, [this](ServiceId known) { return registry_.ProposeEndOfTrial(known); },
        [name = wish.spec.name](const Status& status) {
          if (!status) log::Failure("service " + name + ": " + status.error().message);
        });
  }
}

void Deploys::Resume(ServiceId id) {
  const Wish& wish = *registry_.Get(id);
  auto record = store_.ReadDeploy(id);
  if (!record) {
    log::Failure("service " + wish.spec.name + ": the record of a deploy that was under way: " +
                 record.error().message + "; what its wish says is in force");
    if (record.error().code == ErrorCode::kProtocol) return;
    record = std::optional<DeployRecord>();
  }
  std::vector<std::string> in_use = InUse(id);
  if (*record) {
    DeployResumed found;
    found.step = (*record)->step;
    const std::string directory = store_.PathOf(id, (*record)->release);
    const auto before = Store::Decode((*record)->wish_before);
    // A folder that is run in place is told from the one before alone.
    found.wish_is_new = wish.spec.directory == directory ||
                        ((*record)->existing && before && wish.spec != before->spec);
    found.same_boot = (*record)->boot_id == BootId();
    in_use.push_back((*record)->release);
    if (before) {
      const std::string old = store_.ReleaseIn(id, before->spec.directory);
      if (!old.empty()) in_use.push_back(old);
    }
    Command command;
    command.request.id = (*record)->request;
    slc::Deploy body;
    body.service = wish.spec.name;
    command.request.body = std::move(body);
    command.request.principal = (*record)->by;
    command.since = BootNow();
    command.cause = "resume";
    Add(command, id).Resume(std::move(**record), found);
  }
  disk().Run(
      [this, id, in_use = std::move(in_use)] {
        const Status removed = store_.RemoveLeftovers(id, in_use);
        if (!removed) log::Warn("leftovers of deploys: " + removed.error().message);
      },
      [] {});
}

std::vector<std::string> Deploys::InUse(ServiceId id) const {
  std::vector<std::string> in_use;
  const std::string name = store_.ReleaseIn(id, registry_.Get(id)->spec.directory);
  if (!name.empty()) in_use.push_back(name);
  return in_use;
}

// ------------------------------------------------------------------------------------------------
// requests

Status Deploys::Check(ServiceId id) {
  if (services_.stopping()) {
    return Error{ErrorCode::kConflict, "slcd is shutting down; try again in a moment"};
  }
  if (const auto refusal = Refusal(id)) return *refusal;
  const std::string& name = registry_.Get(id)->spec.name;
  if (const std::string& foreign = services_.InstanceOf(id).foreign(); !foreign.empty()) {
    return Error{ErrorCode::kProtocol, foreign};
  }
  if (changes_.IsChanging(id)) {
    return Error{ErrorCode::kConflict, "another change of '" + name +
                                           "' is under way; try again when slc ctl status " + name +
                                           " shows it running"};
  }
  if (deploys_.size() >= kMost) {
    return Error{
        ErrorCode::kConflict,
        std::to_string(kMost) + " services are being deployed to already; try again later"};
  }
  return Ok();
}

Deploy& Deploys::Add(const Command& command, ServiceId id) {
  disk();
  auto& place = deploys_[id];
  place = std::make_unique<Deploy>(*context_, id, command, [this, id] {
    over_.push_back(id);
    sweep_.StartIn(0);
  });
  return *place;
}

void Deploys::Sweep() {
  for (const ServiceId id : std::exchange(over_, {})) {
    deploys_.erase(id);
    if (registry_.Get(id) == nullptr) Clear(id);
  }
}

void Deploys::Handle(const Command& command, const slc::Deploy& body, std::vector<UniqueFd> fds) {
  UniqueFd archive = fds.empty() ? UniqueFd() : std::move(fds.front());
  if (Status good = CheckBody(body, static_cast<bool>(archive)); !good) {
    return clients_.Refuse(command, good.error());
  }
  const auto id = registry_.Find(body.service);
  if (id) return Start(command, *id, body, std::move(archive));
  const bool unknown = id.error().code == ErrorCode::kNotFound;
  if (!unknown || !CheckServiceName(body.service)) return clients_.Refuse(command, id.error());
  // As long as it has not come into being, the sender waits.
  auto waiting = std::make_shared<UniqueFd>(std::move(archive));
  changes_.Make(body.service, [this, command, body, waiting](const Status& made) {
    if (!made) return clients_.Refuse(command, made.error());
    const auto known = registry_.Find(body.service);
    if (!known) return clients_.Refuse(command, known.error());
    Start(command, *known, body, std::move(*waiting));
  });
}

void Deploys::Start(const Command& command, ServiceId id, const slc::Deploy& body,
                    UniqueFd archive) {
  if (Status good = Check(id); !good) return clients_.Refuse(command, good.error());
  DeployPlan plan;
  plan.spec = registry_.Get(id)->spec;
  Apply(body, plan.spec.releases);
  plan.release = ReleaseOf(command, body);
  plan.existing = body.origin == ReleaseOrigin::kFolder;
  plan.archive = std::move(archive);
  clients_.Accept(command, id, {});
  Add(command, id).Begin(std::move(plan));
}

void Deploys::Handle(const Command& command, const slc::Rollback& body) {
  const auto id = registry_.Find(body.service);
  if (!id) return clients_.Refuse(command, id.error());
  if (Status good = Check(*id); !good) return clients_.Refuse(command, good.error());
  auto releases = std::make_shared<Result<std::vector<Release>>>(std::vector<Release>{});
  disk().Run([this, id = *id, releases] { *releases = store_.List(id); },
             [this, command, body, id = *id, releases] {
               if (!*releases) return clients_.Refuse(command, releases->error());
               const Wish* wish = registry_.Get(id);
               if (wish == nullptr) {
                 return clients_.Refuse(
                     command, Error{ErrorCode::kNotFound, "the service was removed meanwhile"});
               }
               if (Status good = Check(id); !good) return clients_.Refuse(command, good.error());
               std::string current = store_.ReleaseIn(id, wish->spec.directory);
               if (current.empty()) current = ReleaseStore::OfFolder(wish->spec.directory).name;
               const std::string name = wish->spec.name;
               auto target = FindRelease(**releases, body.release);
               if (body.release.empty()) {
                 const auto before = RollbackTarget(**releases, current);
                 target = before ? Result<Release>(*before)
                                 : Error{ErrorCode::kNotFound,
                                         "'" + name +
                                             "' has no release before the one in service; "
                                             "those there are: slc ctl releases " +
                                             name};
               }
               if (!target) return clients_.Refuse(command, target.error());
               if (target->name == current) {
                 return clients_.Refuse(command, Error{ErrorCode::kConflict,
                                                       "release " + std::to_string(target->number) +
                                                           " is in service already"});
               }
               DeployPlan plan;
               plan.spec = wish->spec;
               plan.release = *target;
               plan.release.by = WhoDeploys(command);
               plan.release.when = WallNow();
               plan.existing = true;
               clients_.Accept(command, id, {});
               Add(command, id).Begin(std::move(plan));
             });
}

void Deploys::Handle(const Command& command, const ListReleases& body) {
  const auto id = registry_.Find(body.service);
  if (!id) return clients_.Refuse(command, id.error());
  const std::string directory = registry_.Get(*id)->spec.directory;
  auto releases = std::make_shared<Result<std::vector<Release>>>(std::vector<Release>{});
  disk().Run([this, id = *id, releases] { *releases = store_.List(id); },
             [this, command, id = *id, directory, releases] {
               if (!*releases) return clients_.Refuse(command, releases->error());
               Reply reply;
               ReleaseList& list = reply.data.emplace<ReleaseList>();
               for (const Release& release : **releases) {
                 const bool in_service = release.origin == ReleaseOrigin::kFolder
                                             ? release.folder == directory
                                             : store_.PathOf(id, release.name) == directory;
                 list.push_back({release, in_service});
               }
               clients_.Answer(command, reply);
             });
}

// ------------------------------------------------------------------------------------------------
// what happens

void Deploys::OnFacts(ServiceId id) {
  const auto found = deploys_.find(id);
  if (found != deploys_.end()) found->second->OnFacts();
}

void Deploys::OnNotice(ServiceId id, const link::Notice& notice) {
  const auto found = deploys_.find(id);
  if (found != deploys_.end()) found->second->OnNotice(notice);
}

void Deploys::OnChanged(ServiceId id) {
  if (registry_.Get(id) != nullptr) return;
  const auto found = deploys_.find(id);
  if (found == deploys_.end()) return Clear(id);
  found->second->Cancel("the service was removed");
  found->second->OnFacts();
}

void Deploys::Clear(ServiceId id) {
  // Most services have none, and no thread is made for that.
  const auto ids = store_.Services();
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) return;
  disk().Run(
      [this, id] {
        const Status removed = store_.RemoveAll(id);
        if (!removed) log::Warn("the releases of a removed service: " + removed.error().message);
      },
      [] {});
}

std::optional<Error> Deploys::Refusal(ServiceId id) const {
  const auto found = deploys_.find(id);
  if (found == deploys_.end()) return std::nullopt;
  const Wish* wish = registry_.Get(id);
  return Error{ErrorCode::kConflict, "a deploy of '" +
                                         (wish != nullptr ? wish->spec.name : std::to_string(id)) +
                                         "' is under way, " + found->second->Describe() +
                                         "; wait for it, or cancel it with stop"};
}

void Deploys::Cancel(ServiceId id, const std::string& reason) {
  const auto found = deploys_.find(id);
  if (found != deploys_.end()) found->second->Cancel(reason);
}

void Deploys::CancelAll(const std::string& reason) {
  for (const auto& [id, deploy] : deploys_) deploy->Cancel(reason);
}

Status Deploys::Restrict(ClientId client, Request& request) const {
  const GitPushes::Grant* grant = git_.GrantOf(client);
  if (grant == nullptr) return Ok();
  auto* deploy = std::get_if<slc::Deploy>(&request.body);
  if (deploy == nullptr || deploy->origin != ReleaseOrigin::kGit) {
    return Error{ErrorCode::kPermission, "this is a push: it can be deployed, and nothing else"};
  }
  deploy->service = std::to_string(grant->service);
  request.principal = grant->principal;
  return Ok();
}

bool Deploys::IsOurs(int pid) const {
  return git_.IsOurs(pid) || std::any_of(deploys_.begin(), deploys_.end(), [pid](const auto& each) {
           return each.second->IsOurs(pid);
         });
}

}  // namespace slc::deploy
