// What a worker is asked for: to be profiled, counted, debugged.
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "common/wire/result_stream.h"
#include "daemon/gateway/strongloop/mesh_call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// Counts of all classes of an app; each takes some 100 bytes.
constexpr std::size_t kMostCountBytes = 16U << 20;

constexpr const char* kNoSmartProfiling =
    "smart profiling (a profile of stalls only) is not there yet; without a timeout and a number "
    "of stalls a profile of everything begins";

// What a worker, or slcd in its name, refuses is a failure of the command.
http::Response RefusedOfWorker(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalid:
    case ErrorCode::kConflict:
      return Failure(500, error.message);
    default:
      return Refused(error);
  }
}

bool IsZero(const std::string& text) { return text.empty() || text == "0"; }

json Capability(const std::string& hindrance) {
  json reasons = json::array();
  if (!hindrance.empty()) reasons.push_back(hindrance);
  return json{{"status", hindrance.empty()}, {"reasons", std::move(reasons)}};
}

}  // namespace

void MeshApi::WithProcess(const Call& call, OnProcess then) {
  WithViews(call, [call, then = std::move(then)](const Views& views) {
    const auto number = Number(call.id());
    const auto wanted = number ? ProcessOfRowId(*number) : std::nullopt;
    for (const ServiceView& view : views) {
      if (!wanted || view.id != wanted->first) continue;
      for (const ProcessView& process : view.processes) {
        if (process.worker == wanted->second && process.pid > 0) return then(view, process);
      }
    }
    call.respond(Unknown(NameOf(call.model), call.id()));
  });
}

void MeshApi::AskWorker(const Call& call, RequestBody body, OnReply then) {
  backend_.Ask(call.principal, std::move(body),
               [call, then = std::move(then)](Result<Reply> reply) {
                 if (!reply) return call.respond(Refused(reply.error()));
                 if (reply->error) return call.respond(RefusedOfWorker(*reply->error));
                 then(std::move(*reply));
               });
}

void MeshApi::Inspect(const Call& call, Inspection what, OnInspected then) {
  WithProcess(call, [this, call, what, then = std::move(then)](const ServiceView& view,
                                                               const ProcessView& process) {
    InspectWorker look;
    look.service = std::to_string(view.id);
    look.worker = process.worker;
    look.what = what;
    AskWorker(call, std::move(look), [then, process](Reply reply) {
      const auto* told = std::get_if<InspectionReply>(&reply.data);
      const int port = told != nullptr ? told->debugger_port : 0;
      then(process, port, std::move(reply.descriptors));
    });
  });
}

void MeshApi::StartCpuProfiling(const Call& call) {
  if (!IsZero(TextOf(call.body(), "watchdogTimeout")) ||
      !IsZero(TextOf(call.body(), "watchdogStallout"))) {
    return call.respond(Failure(501, kNoSmartProfiling));
  }
  // The original names the profile that will come of it; ours has its row once it is ended.
  Inspect(call, Inspection::kCpuStart,
          [call](const ProcessView& process, int, const std::vector<UniqueFd>&) {
            call.respond(Answer(json{{"pst", process.started_wall}}));
          });
}

void MeshApi::Capture(const Call& call, ProfileType type) {
  WithProcess(call, [this, call, type](const ServiceView& view, const ProcessView& process) {
    CaptureProfile capture{std::to_string(view.id), process.worker, type};
    AskWorker(call, std::move(capture), [call](const Reply& reply) {
      const auto* profiles = std::get_if<ProfileList>(&reply.data);
      if (profiles == nullptr || profiles->empty()) {
        return call.respond(Failure(500, "slcd does not say which profile it is"));
      }
      const Profile& profile = profiles->front();
      call.respond(Answer(json{{"url", ProfileUrl(profile)}, {"profileId", profile.id}}));
    });
  });
}

void MeshApi::StopCpuProfiling(const Call& call) { Capture(call, ProfileType::kCpu); }

void MeshApi::HeapSnapshot(const Call& call) { Capture(call, ProfileType::kHeap); }

void MeshApi::Track(const Call& call, Inspection what) {
  Inspect(call, what, [this, call](const ProcessView&, int, std::vector<UniqueFd> fds) {
    if (fds.empty()) return call.respond(Failure(500, "slcd sent no counts"));
    backend_.ReadAll(std::move(fds.front()), kMostCountBytes,
                     [call](const Result<std::string>& text) {
                       const auto whole = text ? WholeResult(*text) : text;
                       if (!whole) return call.respond(Failure(500, whole.error().message));
                       const auto counts = ParseJson(*whole);
                       if (!counts) return call.respond(Failure(500, counts.error().message));
                       call.respond(Answer(*counts));
                     });
  });
}

void MeshApi::StartObjectTracking(const Call& call) { Track(call, Inspection::kObjectsStart); }

void MeshApi::StopObjectTracking(const Call& call) { Track(call, Inspection::kObjectsStop); }

void MeshApi::StartDebugger(const Call& call) {
  Inspect(call, Inspection::kDebugStart,
          [call](const ProcessView& process, int port, const std::vector<UniqueFd>&) {
            call.respond(
                Answer(json{{"error", nullptr}, {"port", port}, {"pst", process.started_wall}}));
          });
}

void MeshApi::StopDebugger(const Call& call) {
  Inspect(call, Inspection::kDebugStop,
          [call](const ProcessView& process, int, const std::vector<UniqueFd>&) {
            call.respond(Answer(json{{"pst", process.started_wall}}));
          });
}

void MeshApi::GetDebugger(const Call& call) {
  WithProcess(call, [call](const ServiceView&, const ProcessView& process) {
    const int port = process.inspection.debugger_port;
    call.respond(Answer(json{{"running", port > 0},
                             {"port", port > 0 ? json(port) : json()},
                             {"pst", process.started_wall}}));
  });
}

void MeshApi::QueryCapabilities(const Call& call) {
  WithProcess(call, [call](const ServiceView& view, const ProcessView& process) {
    const std::string hindrance = process.worker == 0 ? "the supervisor is no Node.js process"
                                  : view.agent_version.empty()
                                      ? "no worker of this service has slc's agent"
                                      : "";
    const std::pair<const char*, json> all[] = {
        {"watchdog", Capability(kNoSmartProfiling)},
        {"tracing", Capability(kNoTracing)},
        {"metrics", Capability("metrics of workers are not there yet")},
        {"cpuprofile", Capability(hindrance)},
        {"heapsnapshot", Capability(hindrance)},
        {"patch", Capability(kNoPatch)},
        {"debugger", Capability(hindrance)},
    };
    const auto wanted = call.parameters.find("feature");
    json capabilities = json::object();
    for (const auto& [name, capability] : all) {
      const bool named =
          wanted == call.parameters.end() ||
          ("," + wanted->second + ",").find("," + std::string(name) + ",") != std::string::npos;
      if (named) capabilities[name] = capability;
    }
    call.respond(
        Answer(json{{"capabilities", std::move(capabilities)}, {"pst", process.started_wall}}));
  });
}

// ------------------------------------------------------------------------------------------------
// what there is nothing behind

void MeshApi::RefuseTracing(const Call& call) {
  WithRow(call, [call](const json&) {
    call.respond(Failure(501, "workers cannot be traced: that took StrongLoop's own tracer"));
  });
}

void MeshApi::RefusePatch(const Call& call) {
  WithRow(call, [call](const json&) {
    call.respond(Failure(501,
                         "code that runs cannot be patched: that took StrongLoop's own agent in "
                         "the worker"));
  });
}

}  // namespace slc::gateway
