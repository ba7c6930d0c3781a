#include "daemon/gateway/v1/call.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc::gateway {
namespace v1 {
namespace {

using nlohmann::json;

int StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
    case ErrorCode::kProtocol:
      return 400;
    case ErrorCode::kPermission:
      return 403;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
      return 409;
    case ErrorCode::kInvalid:
      return 422;
    case ErrorCode::kUnreachable:
    case ErrorCode::kTimeout:
      return 503;
    case ErrorCode::kStorage:
      return 507;
    default:
      return 500;
  }
}

}  // namespace

http::Response Answer(const json& body, int status) {
  http::Response response;
  response.status = status;
  response.type = "application/json";
  response.body = DumpJson(body) + "\n";
  return response;
}

http::Response Failure(const Error& error, const std::vector<std::string>& log_tail,
                       const std::vector<std::string>& notes) {
  return Answer(json{{"ok", false},
                     {"error", {{"code", ErrorCodeName(error.code)}, {"message", error.message}}},
                     {"log_tail", log_tail},
                     {"notes", notes}},
                StatusOf(error.code));
}

http::Response Failure(const Reply& reply) {
  return Failure(*reply.error, reply.log_tail, reply.notes);
}

}  // namespace v1

bool V1Api::Call::Is(const char* name) const {
  const std::string* value = target.Find(name);
  return value != nullptr && (value->empty() || *value == "true" || *value == "1");
}

std::string V1Api::Call::Text(const char* name) const {
  const std::string* value = target.Find(name);
  return value != nullptr ? *value : std::string();
}

bool V1Api::Call::TakeNumber(const char* name, std::optional<std::uint32_t>& number) const {
  const std::string* value = target.Find(name);
  if (value == nullptr) return true;
  const auto parsed = ParseInteger(*value, 0, std::numeric_limits<std::int32_t>::max());
  if (parsed) number = static_cast<std::uint32_t>(*parsed);
  if (!parsed) {
    Respond(v1::Failure(Error{ErrorCode::kUsage, std::string(name) + " is not a number"}));
  }
  return parsed.has_value();
}

bool V1Api::Call::TakeId(const char* name, std::uint32_t& id) const {
  const std::string& text = parameters.at(name);
  const auto parsed = ParseInteger(text, 1, std::numeric_limits<std::uint32_t>::max());
  if (parsed) id = static_cast<std::uint32_t>(*parsed);
  if (!parsed) {
    Respond(v1::Failure(
        Error{ErrorCode::kNotFound, "there is no " + std::string(name) + " " + Printable(text)}));
  }
  return parsed.has_value();
}

}  // namespace slc::gateway
