// What is asked of workers, and the profiles that come of it.
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/result_stream.h"
#include "daemon/gateway/core/download.h"
#include "daemon/gateway/core/scopes.h"
#include "daemon/gateway/v1/call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;
using v1::Answer;
using v1::Failure;

// Counts of all classes of an app; each takes some 100 bytes.
constexpr std::size_t kMostCountBytes = 16U << 20;

// As all changes are answered.
json Done(const Reply& reply, Millis since) {
  return json{{"ok", true}, {"notes", reply.notes}, {"took_ms", BootNow() - since}};
}

const Profile* ProfileIn(const Reply& reply) {
  const auto* profiles = std::get_if<ProfileList>(&reply.data);
  return profiles != nullptr && profiles->size() == 1 ? &profiles->front() : nullptr;
}

http::Response NoProfile() {
  return Failure(Error{ErrorCode::kInternal, "slcd does not say which profile it is"});
}

}  // namespace

void V1Api::AddWorkers() {
  // Heap snapshots and the debugger are the same kind of request, but take more.
  constexpr Scope kMost = kScopeOf<InspectWorker>;
  const auto worker = [this](const char* rest, Route route) {
    router_.Add("POST", std::string("/v1/services/{service}/workers/{worker}/") + rest,
                std::move(route));
  };
  worker("cpu-start", {&V1Api::PostCpuStart,
                       Scope::kOperate,
                       "Begins a CPU profile; interval: microseconds between two samples.",
                       {},
                       {"interval"}});
  worker("cpu-stop", {&V1Api::PostCpuStop,
                      Scope::kOperate,
                      "Ends it: it becomes a profile of the service, whole some time later.",
                      {},
                      {}});
  worker("heap-snapshot",
         {&V1Api::PostHeapSnapshot,
          kMost,
          "Takes one: a profile of the service, whole some time later. The worker stands still.",
          {},
          {}});
  worker("objects-start",
         {&V1Api::PostObjectsStart, Scope::kOperate, "Counts its objects by class.", {}, {}});
  worker("objects-stop", {&V1Api::PostObjectsStop,
                          Scope::kOperate,
                          "Counts them again, and tells which classes grew.",
                          {},
                          {}});
  worker("dbg-start",
         {&V1Api::PostDebugStart, kMost, "Opens its debugger on a port of 127.0.0.1.", {}, {}});
  worker("dbg-stop", {&V1Api::PostDebugStop, kMost, "Closes it.", {}, {}});
  const std::string profiles = "/v1/services/{service}/profiles";
  router_.Add("GET", profiles,
              {&V1Api::GetProfiles, kScopeOf<ListProfiles>, "Its profiles, oldest first.", {}, {}});
  router_.Add("GET", profiles + "/{profile}",
              {&V1Api::GetProfile, kScopeOf<ListProfiles>, "One of them.", {}, {}});
  router_.Add("DELETE", profiles + "/{profile}",
              {&V1Api::DeleteProfile,
               kScopeOf<RemoveProfile>,
               "Removes it; breaks it off if it is under way.",
               {},
               {}});
  // slcd tells if it takes more.
  router_.Add("GET", profiles + "/{profile}/download",
              {&V1Api::GetProfileFile,
               Scope::kOperate,
               "Its file, once it is whole (before: 409); a heap snapshot takes the scope admin.",
               {},
               {},
               false,
               true});
}

void V1Api::Inspect(const Call& call, InspectWorker look) {
  look.service = call.service();
  if (!call.TakeId("worker", look.worker)) return;
  const Inspection what = look.what;
  backend_.Ask(call.principal, std::move(look), [this, call, what](Result<Reply> reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    if (reply->error) return call.Respond(Failure(*reply));
    json value = Done(*reply, call.since);
    const auto* told = std::get_if<InspectionReply>(&reply->data);
    if (what == Inspection::kDebugStart && told != nullptr) {
      value["debugger_port"] = told->debugger_port;
    }
    if (!HasResult(what)) return call.Respond(Answer(value));
    if (reply->descriptors.empty()) {
      return call.Respond(Failure(Error{ErrorCode::kInternal, "slcd sent no counts"}));
    }
    backend_.ReadAll(std::move(reply->descriptors.front()), kMostCountBytes,
                     [call, value = std::move(value)](const Result<std::string>& text) mutable {
                       const auto whole = text ? WholeResult(*text) : text;
                       if (!whole) return call.Respond(Failure(whole.error()));
                       auto counts = ParseJson(*whole);
                       if (!counts) return call.Respond(Failure(counts.error()));
                       value["objects"] = std::move(*counts);
                       value["took_ms"] = BootNow() - call.since;
                       call.Respond(Answer(value));
                     });
  });
}

void V1Api::PostCpuStart(const Call& call) {
  InspectWorker look;
  JsonFields fields(call.body(), "body");
  fields.Read("interval", look.interval);
  if (look.interval < kLeastSamplingInterval || look.interval > kMostSamplingInterval) {
    fields.Fail("interval", "a number from 50 to 100000");
  }
  if (Status good = fields.status(); !good) return call.Respond(Failure(good.error()));
  look.what = Inspection::kCpuStart;
  Inspect(call, std::move(look));
}

void V1Api::PostObjectsStart(const Call& call) {
  Inspect(call, InspectWorker{{}, 0, Inspection::kObjectsStart});
}

void V1Api::PostObjectsStop(const Call& call) {
  Inspect(call, InspectWorker{{}, 0, Inspection::kObjectsStop});
}

void V1Api::PostDebugStart(const Call& call) {
  Inspect(call, InspectWorker{{}, 0, Inspection::kDebugStart});
}

void V1Api::PostDebugStop(const Call& call) {
  Inspect(call, InspectWorker{{}, 0, Inspection::kDebugStop});
}

void V1Api::Capture(const Call& call, ProfileType type) {
  CaptureProfile capture{call.service(), 0, type};
  if (!call.TakeId("worker", capture.worker)) return;
  backend_.Ask(call.principal, std::move(capture), [call](const Result<Reply>& reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    if (reply->error) return call.Respond(Failure(*reply));
    const Profile* profile = ProfileIn(*reply);
    if (profile == nullptr) return call.Respond(NoProfile());
    json value = Done(*reply, call.since);
    value["profile"] = ToJson(*profile);
    call.Respond(Answer(value));
  });
}

void V1Api::PostCpuStop(const Call& call) { Capture(call, ProfileType::kCpu); }

void V1Api::PostHeapSnapshot(const Call& call) { Capture(call, ProfileType::kHeap); }

void V1Api::GetProfiles(const Call& call) {
  backend_.Ask(call.principal, ListProfiles{call.service()}, [call](const Result<Reply>& reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    if (reply->error) return call.Respond(Failure(*reply));
    json list = json::array();
    if (const auto* profiles = std::get_if<ProfileList>(&reply->data)) {
      for (const Profile& profile : *profiles) list.push_back(ToJson(profile));
    }
    call.Respond(Answer(list));
  });
}

void V1Api::GetProfile(const Call& call) {
  std::uint32_t id = 0;
  if (!call.TakeId("profile", id)) return;
  backend_.Ask(
      call.principal, ListProfiles{call.service()}, [call, id](const Result<Reply>& reply) {
        if (!reply) return call.Respond(Failure(reply.error()));
        if (reply->error) return call.Respond(Failure(*reply));
        const auto* profiles = std::get_if<ProfileList>(&reply->data);
        for (const Profile& profile : profiles != nullptr ? *profiles : ProfileList{}) {
          if (profile.id == id) return call.Respond(Answer(ToJson(profile)));
        }
        call.Respond(
            Failure(Error{ErrorCode::kNotFound, "there is no profile " + std::to_string(id)}));
      });
}

void V1Api::GetProfileFile(const Call& call) {
  ReadProfile read{call.service(), 0, Grants(call.scopes, Scope::kAdmin)};
  if (!call.TakeId("profile", read.profile)) return;
  backend_.Ask(call.principal, std::move(read), [call](Result<Reply> reply) {
    if (!reply) return call.Respond(Failure(reply.error()));
    if (reply->error) return call.Respond(Failure(*reply));
    const Profile* profile = ProfileIn(*reply);
    if (profile == nullptr) return call.Respond(NoProfile());
    if (!profile->errored.empty()) {
      return call.Respond(
          Failure(Error{ErrorCode::kSystem, "there is no file: " + profile->errored}));
    }
    if (!profile->whole()) {
      return call.Respond(Failure(Error{ErrorCode::kConflict, "it is under way; ask again"}));
    }
    if (reply->descriptors.empty()) {
      return call.Respond(Failure(Error{ErrorCode::kInternal, "slcd sent no file"}));
    }
    call.answerer.send(DownloadHead(*profile), std::move(reply->descriptors.front()));
  });
}

void V1Api::DeleteProfile(const Call& call) {
  RemoveProfile remove{call.service(), 0};
  if (!call.TakeId("profile", remove.profile)) return;
  Change(call, std::move(remove));
}

}  // namespace slc::gateway
