#include <nlohmann/json.hpp>

#include "daemon/gateway/strongloop/mesh_call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

}  // namespace

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

void MeshApi::RefuseOfWorker(const Call& call) {
  WithRow(call, [call](const json&) {
    call.respond(Failure(501, "there is nothing in slc's workers yet that does this"));
  });
}

void MeshApi::RefuseDebugger(const Call& call) {
  WithRow(call, [this, call](const json& row) {
    if (row["workerId"] != 0) return RefuseOfWorker(call);
    call.respond(Failure(500, "Cannot debug the supervisor process itself."));
  });
}

}  // namespace slc::gateway
