#include "daemon/gateway/strongloop/mesh_call.h"

#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

}  // namespace

http::Response Answer(const json& body, int status) {
  http::Response response;
  response.status = status;
  response.body = DumpJson(body);
  return response;
}

http::Response Failure(int status, const std::string& message, const char* code, const char* name) {
  json error{{"name", name}, {"status", status}, {"statusCode", status}, {"message", message}};
  if (code != nullptr) error["code"] = code;
  return Answer(json{{"error", std::move(error)}}, status);
}

http::Response Unknown(const char* model, const std::string& id) {
  return Failure(404, std::string("Unknown \"") + model + "\" id \"" + Printable(id) + "\".",
                 "MODEL_NOT_FOUND");
}

http::Response Refused(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return Failure(404, error.message, "MODEL_NOT_FOUND");
    case ErrorCode::kUsage:
    case ErrorCode::kInvalid:
      return Failure(422, error.message);
    case ErrorCode::kConflict:
      return Failure(409, error.message);
    case ErrorCode::kPermission:
      return Failure(403, error.message);
    case ErrorCode::kUnreachable:
    case ErrorCode::kTimeout:
      return Failure(503, error.message);
    default:
      return Failure(500, error.message);
  }
}

http::Response Forbidden(const std::string& principal, Scope scope) {
  return Failure(403, Printable(principal) + " may not do this; it takes the scope '" +
                          ScopeName(scope) + "': slc token add NAME --scope " + ScopeName(scope));
}

std::optional<std::int64_t> Number(const std::string& text) {
  return ParseInteger(text, 0, std::numeric_limits<std::int64_t>::max());
}

bool HasApp(const ServiceView& view) { return !view.directory.empty(); }

std::string TextOf(const json& body, const char* member) {
  const auto found = body.find(member);
  if (found == body.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : DumpJson(*found);
}

bool IsSet(const json& body, const char* member) {
  const auto found = body.find(member);
  return found != body.end() && *found == true;
}

}  // namespace slc::gateway
