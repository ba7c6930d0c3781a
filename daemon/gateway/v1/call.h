// What the parts of V1Api have in common: the request that is being answered, and the forms that
// answers have.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/time.h"
#include "daemon/gateway/v1/api.h"

namespace slc::gateway {

// A request and how it is answered.
struct V1Api::Call {
  std::string principal;
  std::vector<Scope> scopes;
  http::Target target;
  http::RouteParameters parameters;
  std::shared_ptr<const nlohmann::json> sent;  // never null
  Answerer answerer;
  Millis since = 0;

  const nlohmann::json& body() const { return *sent; }  // an object
  const std::string& service() const { return parameters.at("service"); }
  void Respond(const http::Response& response) const { answerer.respond(response); }
  // Of the query.
  bool Is(const char* name) const;
  std::string Text(const char* name) const;
  // False: it has been answered, what is given is none.
  bool TakeNumber(const char* name, std::optional<std::uint32_t>& number) const;
  // The same of a number in the path: there is nothing of that name.
  bool TakeId(const char* name, std::uint32_t& id) const;
};

namespace v1 {

http::Response Answer(const nlohmann::json& body, int status = 200);
http::Response Failure(const Error& error, const std::vector<std::string>& log_tail = {},
                       const std::vector<std::string>& notes = {});
http::Response Failure(const Reply& reply);

}  // namespace v1
}  // namespace slc::gateway
