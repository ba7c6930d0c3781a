// V1Api: slc's own REST API, below /v1, with the nouns and forms of `slc ... --json`.
//
// Looking answers with the bare value; a change with {"ok", "notes", "took_ms", "service"} when it
// has happened; what fails with {"ok":false, "error":{"code", "message"}, "log_tail", "notes"} and
// a status by the code. Logs and events come as a line of JSON each, or as server-sent events to
// whoever accepts text/event-stream; with follow=true without end.
//
// The routes are a table, from which the OpenAPI document is made: one cannot say what the other
// does not.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/http/response.h"
#include "common/http/router.h"
#include "common/http/target.h"
#include "daemon/gateway/authenticator.h"
#include "daemon/gateway/backend.h"

namespace slc::gateway {

// An answer that is a stream of lines: what slcd is to be asked, whose reply brings a pipe.
struct LineRequest {
  RequestBody body;
  bool follow = false;
  // Not empty: whoever asks for the same may get the same pipe, for all begin with what comes next.
  std::string shared;
};

class V1Api {
 public:
  struct Answerer {
    std::function<void(const http::Response& response)> respond;
    std::function<void(LineRequest request)> stream;
    std::function<void()> control;  // the body is a request of the control protocol
    // The body of the answer is what is in the file.
    std::function<void(const http::Response& head, UniqueFd file)> send;
  };

  // `backend` outlives this.
  explicit V1Api(Backend& backend);

  // False if the path is not below /v1 nor /openapi.json; then nothing is answered. Else one of the
  // functions of `answerer` is called once, at once or later.
  bool Handle(const Principal& who, const std::string& method, const http::Target& target,
              const std::string& body, Answerer answerer);

  // The document, as one value of JSON.
  std::string OpenApi() const;

 private:
  struct Call;
  using Handler = void (V1Api::*)(const Call& call);
  struct Route {
    Handler handler = nullptr;
    Scope scope = Scope::kRead;
    const char* summary = "";
    std::vector<const char*> query;  // names of parameters, see DescribeParameter
    std::vector<const char*> body;   // members of the object that is sent, the same
    bool control = false;            // what is sent is not looked at here
    bool file = false;               // what comes is no JSON
  };

  // What is asked of workers, and their profiles.
  void AddWorkers();

  void GetDocument(const Call& call);
  void GetDaemon(const Call& call);
  void GetServices(const Call& call);
  void GetService(const Call& call);
  void PostService(const Call& call);
  void DeleteService(const Call& call);
  void PostStart(const Call& call);
  void PostStop(const Call& call);
  void PostRestart(const Call& call);
  void PostSoftRestart(const Call& call);
  void PutSize(const Call& call);
  void GetEnvironment(const Call& call);
  void PatchEnvironment(const Call& call);
  void GetLogs(const Call& call);
  void GetAllLogs(const Call& call);
  void GetEvents(const Call& call);
  void GetEventsOfService(const Call& call);
  void PostCpuStart(const Call& call);
  void PostCpuStop(const Call& call);
  void PostHeapSnapshot(const Call& call);
  void PostObjectsStart(const Call& call);
  void PostObjectsStop(const Call& call);
  void PostDebugStart(const Call& call);
  void PostDebugStop(const Call& call);
  void GetProfiles(const Call& call);
  void GetProfile(const Call& call);
  void GetProfileFile(const Call& call);
  void DeleteProfile(const Call& call);
  void PostShutdown(const Call& call);
  void PostControl(const Call& call);

  void Change(const Call& call, RequestBody body);
  // Of the worker {worker}.
  void Inspect(const Call& call, InspectWorker look);
  void Capture(const Call& call, ProfileType type);
  void WithView(const Call& call, std::function<void(const ServiceView& view)> then);
  void StreamLogs(const Call& call, const std::string& service);
  void StreamEvents(const Call& call, const std::string& service);

  Backend& backend_;
  http::Router<Route> router_;
};

}  // namespace slc::gateway
