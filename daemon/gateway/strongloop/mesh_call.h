// What the parts of MeshApi have in common: the request that is being answered, and the forms that
// answers have.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/gateway/strongloop/mesh_api.h"

namespace slc::gateway {

// A request and how it is answered.
struct MeshApi::Call {
  std::string principal;
  std::vector<Scope> scopes;
  Model model = Model::kServices;
  std::string method;
  http::Target target;
  http::RouteParameters parameters;
  std::shared_ptr<const nlohmann::json> sent;  // never null
  Respond respond;
  Send send;

  const std::string& id() const { return parameters.at("id"); }
  // An object, if there is none an empty one, unless the route says otherwise.
  const nlohmann::json& body() const { return *sent; }
};

http::Response Answer(const nlohmann::json& body, int status = 200);
// As LoopBack's error handler writes them: the client prints the message, and creates what is
// missing only if the status is 404.
http::Response Failure(int status, const std::string& message, const char* code = nullptr,
                       const char* name = "Error");
http::Response Unknown(const char* model, const std::string& id);
// What slcd has refused.
http::Response Refused(const Error& error);
http::Response Forbidden(const std::string& principal, Scope scope);

std::optional<std::int64_t> Number(const std::string& text);
// A service was given something to run.
bool HasApp(const ServiceView& view);
// A member of a body, as a text: a number that clients send as one or as a text.
std::string TextOf(const nlohmann::json& body, const char* member);
bool IsSet(const nlohmann::json& body, const char* member);

}  // namespace slc::gateway
