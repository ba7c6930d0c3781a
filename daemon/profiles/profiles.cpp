#include "daemon/profiles/profiles.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/base/text.h"

namespace slc::profiles {
namespace {

// Of a record that says neither, and of which nothing is under way.
constexpr const char* kCutShort = "slcd ended before all of it had come";

std::string NameOf(const Profile& profile) {
  return "worker " + std::to_string(profile.worker) + " (pid " + std::to_string(profile.pid) + ")";
}

Error Unknown(ProfileId id) {
  return Error{ErrorCode::kNotFound, "there is no profile " + std::to_string(id)};
}

int PidOf(const ServiceView& view, WorkerId worker) {
  for (const ProcessView& process : view.processes) {
    if (process.worker == worker) return process.pid;
  }
  return 0;
}

}  // namespace

Profiles::Profiles(uv::Loop& loop, const Registry& registry, Services& services, WorkerLooks& looks,
                   Clients& clients, int home)
    : loop_(loop),
      registry_(registry),
      services_(services),
      looks_(looks),
      clients_(clients),
      store_(home) {}

Profiles::~Profiles() {
  for (const auto& capture : captures_) {
    if (capture->pump) capture->pump->Stop();
  }
}

// Most slcds never keep a profile: no thread for them.
uv::DiskThread& Profiles::disk() {
  if (!disk_) disk_ = std::make_unique<uv::DiskThread>(loop_);
  return *disk_;
}

void Profiles::Begin() {
  for (const ServiceId id : store_.Services()) {
    const bool known = registry_.Get(id) != nullptr;
    // A quarantined one may be repaired.
    if (!known && registry_.GetQuarantined(id) == nullptr) {
      Clear(id);
      continue;
    }
    disk().Run(
        [this, id] {
          const Status removed = store_.RemoveLeftovers(id);
          if (!removed) log::Warn("leftovers of profiles: " + removed.error().message);
        },
        [] {});
  }
}

void Profiles::Clear(ServiceId id) {
  disk().Run(
      [this, id] {
        const Status removed = store_.RemoveAll(id);
        if (!removed) log::Warn("the profiles of a removed service: " + removed.error().message);
      },
      [] {});
}

void Profiles::OnChanged(ServiceId id) {
  if (registry_.Get(id) != nullptr) return;
  bool any = false;
  for (const auto& capture : captures_) {
    if (capture->profile.service != id) continue;
    any = true;
    capture->unwanted = true;
    if (capture->pump) capture->pump->Stop();
  }
  const auto ids = store_.Services();
  if (any || std::find(ids.begin(), ids.end(), id) != ids.end()) Clear(id);
}

void Profiles::Describe(ServiceView& view) const {
  for (ProcessView& process : view.processes) {
    process.snapshotting =
        std::any_of(captures_.begin(), captures_.end(), [&](const auto& capture) {
          const Profile& profile = capture->profile;
          return profile.service == view.id && profile.worker == process.worker &&
                 profile.type == ProfileType::kHeap;
        });
  }
}

// ------------------------------------------------------------------------------------------------
// one is made

Status Profiles::Check(const Profile& draft) const {
  for (const auto& capture : captures_) {
    const Profile& profile = capture->profile;
    if (profile.service != draft.service || profile.worker != draft.worker) continue;
    return Error{ErrorCode::kConflict, NameOf(profile) + ": its " + Name(profile.type) + " " +
                                           std::to_string(profile.id) +
                                           " is under way, asked for by " + Printable(profile.by) +
                                           "; wait until it is whole"};
  }
  if (captures_.size() < kMost) return Ok();
  return Error{ErrorCode::kConflict,
               std::to_string(kMost) + " profiles are being stored already; try again later"};
}

void Profiles::Store(Profile draft, Make make, OnBegun begun) {
  if (Status can = Check(draft); !can) return begun(can.error());
  Capture& capture = *captures_.emplace_back(std::make_unique<Capture>());
  capture.profile = std::move(draft);
  capture.make = std::move(make);
  capture.begun = std::move(begun);
  auto reserved = std::make_shared<Result<Profile>>(capture.profile);
  auto part = std::make_shared<Result<UniqueFd>>(UniqueFd());
  disk().Run(
      [this, reserved, part] {
        *reserved = store_.Reserve(**reserved);
        if (!*reserved || (*reserved)->over()) return;
        *part = store_.MakePart(**reserved);
      },
      [this, &capture, reserved, part] {
        if (!*reserved) return Refuse(capture, reserved->error());
        capture.profile = **reserved;
        if (capture.profile.over()) {
          // The request has come again, and what it wanted is there.
          capture.begun(capture.profile);
          return Drop(capture);
        }
        if (!*part) return Refuse(capture, part->error());
        capture.part = std::move(**part);
        Reserved(capture);
      });
}

void Profiles::Reserved(Capture& capture) {
  if (capture.unwanted) {
    return Refuse(capture, Error{ErrorCode::kCancelled, "the service was removed"});
  }
  std::exchange(capture.make, {})(
      [this, &capture](Result<UniqueFd> stream) { Streams(capture, std::move(stream)); });
}

void Profiles::Streams(Capture& capture, Result<UniqueFd> stream) {
  if (!stream) return Refuse(capture, stream.error());
  capture.stream = std::move(*stream);
  auto thread = uv::DiskThread::Make(loop_);
  if (!thread) return Refuse(capture, thread.error());
  capture.thread = std::move(*thread);
  PumpLimits limits;
  limits.bytes = bounds_.bytes;
  capture.pump.emplace(capture.stream.get(), capture.part.get(), limits);
  if (capture.unwanted) capture.pump->Stop();
  std::exchange(capture.begun, {})(capture.profile);
  capture.thread->Run([&capture] { capture.failure = capture.pump->Run(); },
                      [this, &capture] { Pumped(capture); });
}

// It leaves nothing.
void Profiles::Refuse(Capture& capture, const Error& error) {
  const Profile profile = capture.profile;
  if (capture.begun) std::exchange(capture.begun, {})(error);
  Drop(capture);
  if (profile.id != 0) Forget(profile);
}

void Profiles::Forget(const Profile& profile) {
  disk().Run(
      [this, profile] {
        const Status removed = store_.Remove(profile);
        if (!removed) {
          log::Warn("profile " + std::to_string(profile.id) + ": " + removed.error().message);
        }
      },
      [this, id = profile.id] { untold_.erase(id); });
}

void Profiles::Pumped(Capture& capture) {
  Profile& profile = capture.profile;
  if (capture.unwanted) {
    // Not at once: its thread is what calls us.
    return disk().Run([] {}, [this, &capture] { Refuse(capture, {}); });
  }
  profile.bytes = capture.failure.empty() ? capture.pump->bytes() : 0;
  profile.errored = capture.failure;
  if (capture.failure.empty()) profile.completed = WallNow();
  struct Outcome {
    std::string failure;
    bool told = true;
  };
  auto outcome = std::make_shared<Outcome>();
  disk().Run(
      [this, profile, outcome] {
        Profile failed = profile;
        if (profile.whole()) {
          const Status placed = store_.Place(profile);
          if (placed) return;
          failed.completed = 0;
          failed.bytes = 0;
          failed.errored = placed.error().message;
        }
        outcome->failure = failed.errored;
        const Status told = store_.Fail(failed);
        outcome->told = told.ok();
      },
      [this, &capture, outcome] {
        const Profile done = capture.profile;
        if (!outcome->failure.empty()) {
          log::Warn("profile " + std::to_string(done.id) + " of " + NameOf(done) + ": " +
                    outcome->failure);
        }
        if (!outcome->told) untold_[done.id] = outcome->failure;
        // It may have become that meanwhile.
        const bool unwanted = capture.unwanted;
        Drop(capture);
        if (unwanted) return Forget(done);
        Prune();
      });
}

void Profiles::Drop(Capture& capture) {
  captures_.remove_if([&capture](const auto& each) { return each.get() == &capture; });
}

void Profiles::Prune() {
  std::set<ProfileId> under_way;
  for (const auto& capture : captures_) under_way.insert(capture->profile.id);
  auto gone = std::make_shared<ProfileList>();
  disk().Run(
      [this, under_way, gone] {
        auto all = store_.List(0);
        if (!all) return log::Warn("profiles: " + all.error().message);
        std::erase_if(*all, [&](const Profile& each) { return under_way.count(each.id) > 0; });
        *gone = Surplus(std::move(*all), bounds_);
        for (const Profile& profile : *gone) {
          const Status removed = store_.Remove(profile);
          if (!removed) log::Warn("profiles: " + removed.error().message);
        }
      },
      [this, gone] {
        for (const Profile& profile : *gone) untold_.erase(profile.id);
      });
}

// ------------------------------------------------------------------------------------------------
// requests

void Profiles::Handle(const Command& command, const CaptureProfile& body) {
  const auto id = registry_.Find(body.service);
  if (!id) return clients_.Refuse(command, id.error());
  Profile draft;
  draft.service = *id;
  draft.worker = body.worker;
  draft.pid = PidOf(services_.ViewOf(*registry_.Get(*id)), body.worker);
  draft.type = body.type;
  draft.by = WhoLooks(command);
  draft.request = command.request.id;
  draft.started = WallNow();
  InspectWorker look;
  look.service = std::to_string(*id);
  look.worker = body.worker;
  look.what = MakerOf(body.type);
  for (const auto& capture : captures_) {
    const Profile& profile = capture->profile;
    // It has come again: there is one answer to it.
    if (draft.request.empty() || profile.request != draft.request || profile.id == 0) continue;
    Reply reply;
    reply.data = ProfileList{profile};
    return clients_.Answer(command, reply);
  }
  Store(
      std::move(draft),
      [this, command, look](const OnStream& on_stream) {
        looks_.Ask(command, look, [on_stream](Result<WorkerLooks::Look> seen) {
          if (!seen) return on_stream(seen.error());
          on_stream(std::move(seen->result));
        });
      },
      [this, command](const Result<Profile>& profile) {
        if (!profile) return clients_.Refuse(command, profile.error());
        Reply reply;
        reply.data = ProfileList{*profile};
        clients_.Answer(command, reply);
      });
}

std::optional<ServiceId> Profiles::ServiceOf(const Command& command,
                                             const std::string& service) const {
  if (service.empty()) return ServiceId{0};
  const auto id = registry_.Find(service);
  if (id) return *id;
  clients_.Refuse(command, id.error());
  return std::nullopt;
}

Profiles::Capture* Profiles::UnderWay(ProfileId id) const {
  for (const auto& capture : captures_) {
    if (capture->profile.id == id) return capture.get();
  }
  return nullptr;
}

std::optional<Profile> Profiles::Shown(Profile profile) const {
  const Capture* capture = UnderWay(profile.id);
  if (capture != nullptr && capture->unwanted) return std::nullopt;
  if (profile.over()) return profile;
  if (capture != nullptr) {
    if (capture->pump) profile.bytes = capture->pump->bytes();
    return profile;
  }
  const auto untold = untold_.find(profile.id);
  profile.errored = untold != untold_.end() ? untold->second : kCutShort;
  return profile;
}

void Profiles::Handle(const Command& command, const ListProfiles& body) {
  const auto service = ServiceOf(command, body.service);
  if (!service) return;
  auto found = std::make_shared<Result<ProfileList>>(ProfileList{});
  disk().Run([this, id = *service, found] { *found = store_.List(id); },
             [this, command, found] {
               if (!*found) return clients_.Refuse(command, found->error());
               Reply reply;
               auto& list = reply.data.emplace<ProfileList>();
               for (Profile& profile : **found) {
                 if (auto shown = Shown(std::move(profile))) list.push_back(std::move(*shown));
               }
               clients_.Answer(command, reply);
             });
}

void Profiles::Find(const Command& command, const std::string& service, ProfileId id,
                    std::function<void(const Profile& profile)> then) {
  const auto of = ServiceOf(command, service);
  if (!of) return;
  auto found = std::make_shared<Result<ProfileList>>(ProfileList{});
  disk().Run([this, of = *of, found] { *found = store_.List(of); },
             [this, command, id, found, then = std::move(then)] {
               if (!*found) return clients_.Refuse(command, found->error());
               for (Profile& profile : **found) {
                 if (profile.id != id) continue;
                 const auto shown = Shown(std::move(profile));
                 return shown ? then(*shown) : clients_.Refuse(command, Unknown(id));
               }
               clients_.Refuse(command, Unknown(id));
             });
}

void Profiles::Handle(const Command& command, const ReadProfile& body) {
  Find(command, body.service, body.profile, [this, command, body](const Profile& profile) {
    if (!profile.whole()) {
      Reply reply;
      reply.data = ProfileList{profile};
      return clients_.Answer(command, reply);
    }
    if (profile.type == ProfileType::kHeap && !body.secrets) {
      return clients_.Refuse(
          command, Error{ErrorCode::kPermission,
                         "profile " + std::to_string(profile.id) +
                             " is a heap snapshot, which holds what the app has in memory; to read "
                             "it takes the scope 'admin'"});
    }
    auto file = std::make_shared<Result<UniqueFd>>(UniqueFd());
    disk().Run([this, profile, file] { *file = store_.Open(profile); },
               [this, command, profile, file] {
                 if (!*file) return clients_.Refuse(command, file->error());
                 Reply reply;
                 reply.data = ProfileList{profile};
                 std::vector<UniqueFd> fds;
                 fds.push_back(std::move(**file));
                 clients_.Answer(command, reply, std::move(fds));
               });
  });
}

void Profiles::Handle(const Command& command, const RemoveProfile& body) {
  Find(command, body.service, body.profile, [this, command](const Profile& profile) {
    if (Capture* capture = UnderWay(profile.id)) {
      capture->unwanted = true;
      if (capture->pump) capture->pump->Stop();
      return clients_.Answer(command, Reply{});
    }
    auto removed = std::make_shared<Status>(Ok());
    disk().Run([this, profile, removed] { *removed = store_.Remove(profile); },
               [this, command, id = profile.id, removed] {
                 if (!*removed) return clients_.Refuse(command, removed->error());
                 untold_.erase(id);
                 clients_.Answer(command, Reply{});
               });
  });
}

}  // namespace slc::profiles
