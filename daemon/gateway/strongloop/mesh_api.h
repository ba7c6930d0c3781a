// MeshApi: StrongLoop's REST API, version 6.1.0, as sl-pmctl, sl-deploy and Arc of strong-pm 6
// speak it, with slcd behind it. Bodies and errors have the shapes of strong-mesh-models 8.1.1 (as
// recorded); what differs on purpose is said where it differs.
//
// A request is answered exactly once, at once or when slcd has done it. Nothing is kept between
// requests: whatever is shown is what slcd shows at that moment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/ids.h"
#include "common/http/response.h"
#include "common/http/router.h"
#include "common/http/target.h"
#include "common/model/view.h"
#include "daemon/gateway/authenticator.h"
#include "daemon/gateway/backend.h"
#include "daemon/gateway/strongloop/rows.h"

namespace slc::gateway {

inline constexpr const char* kMeshApiVersion = "6.1.0";

class MeshApi {
 public:
  using Respond = std::function<void(const http::Response& response)>;
  // Instead of that: the body of the answer is what is in the file.
  using Send = std::function<void(const http::Response& head, UniqueFd file)>;

  // `backend` outlives this.
  MeshApi(Backend& backend, MeshFacts facts);

  // False if the path is none of this API's (it is neither / nor begins with /api); then it is not
  // answered.
  // What `who` may not ask for is answered with 403.
  bool Handle(const Principal& who, const std::string& method, const http::Target& target,
              const std::string& body, Respond respond, Send send);

  // "GET /api/Services/{id}", sorted.
  std::vector<std::string> Routes() const;

 private:
  struct Call;
  using Views = std::vector<ServiceView>;
  using Handler = void (MeshApi::*)(const Call& call);
  // The original's kinds of rows.
  enum class Model { kServices, kInstances, kProcesses, kExecutors, kProfiles };
  static const char* NameOf(Model model);
  struct Route {
    Handler handler = nullptr;
    Scope scope = Scope::kRead;  // that it takes
    Model model = Model::kServices;
  };

  void Add(Scope scope, const char* method, const std::string& pattern, Handler handler,
           Model model = Model::kServices);
  // What LoopBack gives every model.
  void AddModel(const std::string& path, Model model);

  // of any model
  void Find(const Call& call);
  void FindOne(const Call& call);
  void Count(const Call& call);
  void GetById(const Call& call);
  void Exists(const Call& call);

  void GetRoot(const Call& call);
  void GetApi(const Call& call);
  void ShutDown(const Call& call);
  void CreateOneService(const Call& call);
  void DeleteService(const Call& call);
  void GroupsOfService(const Call& call);
  void InstancesOfService(const Call& call);
  void StartOne(const Call& call);
  void StopOne(const Call& call);
  void RestartOne(const Call& call);
  void SetClusterSize(const Call& call);
  void DumpLog(const Call& call);
  void GetEnvironment(const Call& call);
  void PutEnvironment(const Call& call);
  void PutVariable(const Call& call);
  void DeleteVariable(const Call& call);
  void ProcessesOfInstance(const Call& call);
  void ChangeInstance(const Call& call);
  void ListModules(const Call& call);
  void DoAction(const Call& call);
  // What an action asks of the process that its request's target names, by pid or WID.
  void DoOfWorker(const Call& deed, const std::string& target, Handler handler);
  http::Response OfAction(const std::string& id, nlohmann::json request,
                          const http::Response& response);
  // of a worker
  void StartCpuProfiling(const Call& call);
  void StopCpuProfiling(const Call& call);
  void HeapSnapshot(const Call& call);
  void StartObjectTracking(const Call& call);
  void StopObjectTracking(const Call& call);
  void StartDebugger(const Call& call);
  void StopDebugger(const Call& call);
  void GetDebugger(const Call& call);
  void QueryCapabilities(const Call& call);
  // of profiles
  void ProfilesOfService(const Call& call);
  void CountProfilesOfService(const Call& call);
  void GetProfile(const Call& call);
  void DeleteProfile(const Call& call);
  void DeleteProfilesOfService(const Call& call);
  void DownloadProfile(const Call& call);
  // What there is nothing behind.
  void RefuseTracing(const Call& call);
  void RefusePatch(const Call& call);

  // Whose row has that id; nothing if no service's can.
  static std::optional<ServiceId> ServiceOfRow(Model model, const std::string& id);
  // What slcd shows of the services that the call is about: the one of its {id}, which there need
  // not be, else all. Answers the call itself if that cannot be had.
  void WithViews(const Call& call, std::function<void(const Views& views)> then);
  // The service of {id}, which is its instance's too; 404 in the name of the call's model if there
  // is none.
  void WithService(const Call& call, std::function<void(const ServiceView& view)> then);
  std::vector<nlohmann::json> RowsOf(Model model, const Views& views) const;
  // Those of the call's model.
  void WithRows(const Call& call, std::function<void(std::vector<nlohmann::json> rows)> then);
  // The row of {id}; 404 if there is none.
  void WithRow(const Call& call, std::function<void(const nlohmann::json& row)> then);
  // Asks slcd for a change of a service and answers with the list that commands of the original
  // give, one element for the one instance.
  void Command(const Call& call, const ServiceView& view, RequestBody body,
               nlohmann::json response);
  // The process of {id}, which is a row's; 404 if there is none.
  using OnProcess = std::function<void(const ServiceView& view, const ProcessView& process)>;
  void WithProcess(const Call& call, OnProcess then);
  // Asks for something that a worker does, and has `then` answer.
  using OnReply = std::function<void(Reply reply)>;
  void AskWorker(const Call& call, RequestBody body, OnReply then);
  // `port`: where its debugger is open now.
  using OnInspected =
      std::function<void(const ProcessView& process, int port, std::vector<UniqueFd> fds)>;
  void Inspect(const Call& call, Inspection what, OnInspected then);
  void Capture(const Call& call, ProfileType type);
  void Track(const Call& call, Inspection what);
  // Those of a service, or (empty) of all.
  using OnProfiles = std::function<void(const ProfileList& profiles)>;
  void WithProfiles(const Call& call, const std::string& service, OnProfiles then);
  void WithProfilesOfService(const Call& call, OnProfiles then);
  // The one of {id} that is {profile}; 404 if there is none.
  void WithProfile(const Call& call, std::function<void(const Profile& profile)> then);
  void RemoveProfiles(const Call& call, ProfileList profiles, http::Response answer);
  void ChangeEnvironment(const Call& call, Environment set, std::vector<std::string> unset);
  void AnswerRows(const Call& call, std::vector<nlohmann::json> rows);

  Backend& backend_;
  MeshFacts facts_;
  http::Router<Route> router_;
  std::uint64_t actions_ = 0;  // the last id of one
};

}  // namespace slc::gateway
