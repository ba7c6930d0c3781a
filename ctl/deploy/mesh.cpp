#include "ctl/deploy/mesh.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/http/url.h"
#include "common/model/json_fields.h"
#include "common/model/service.h"

namespace slc::ctl {
namespace {

using nlohmann::json;

constexpr const char* kOurVersion = "6.";

Error Refused(const Remote& remote, const std::string& what, const Remote::Answer& answer) {
  ErrorCode code = ErrorCode::kInvalid;
  if (answer.head.status == 401 || answer.head.status == 403) code = ErrorCode::kPermission;
  if (answer.head.status == 404) code = ErrorCode::kNotFound;
  return Error{
      code, what + ": " + remote.url().shown() + ": " + remote.ReasonOf(answer.head, answer.body)};
}

Error NotUnderstood(const Remote& remote, const std::string& what) {
  return Error{ErrorCode::kProtocol, what + ": " + remote.url().shown() +
                                         " does not answer as a process manager does; is it one?"};
}

Result<MeshService> ReadService(const Remote& remote, const std::string& what,
                                const Remote::Answer& answer) {
  auto parsed = ParseJson(answer.body);
  if (!parsed || !parsed->is_object()) return NotUnderstood(remote, what);
  const auto id = parsed->find("id");
  const auto name = parsed->find("name");
  const bool good =
      id != parsed->end() && id->is_number_unsigned() && name != parsed->end() && name->is_string();
  if (!good) return NotUnderstood(remote, what);
  return MeshService{id->get<std::uint64_t>(), name->get<std::string>()};
}

// What a command on all instances of a service answers: an array with an error in it, or none.
std::optional<std::string> ErrorIn(const json& results) {
  if (!results.is_array()) return std::nullopt;
  for (const json& result : results) {
    if (!result.is_object()) continue;
    const auto error = result.find("error");
    if (error == result.end()) continue;
    return Printable(error->is_string() ? error->get<std::string>() : DumpJson(*error));
  }
  return std::nullopt;
}

}  // namespace

Status CheckApi(Remote& remote) {
  const std::string what = "ask for its version";
  auto answer = remote.Ask("GET", "/api/Api");
  if (!answer) return answer.error();
  if (answer->head.status != 200) return Refused(remote, what, *answer);
  auto parsed = ParseJson(answer->body);
  if (!parsed || !parsed->is_object()) return NotUnderstood(remote, what);
  const auto version = parsed->find("apiVersion");
  if (version == parsed->end() || !version->is_string()) return NotUnderstood(remote, what);
  const std::string text = version->get<std::string>();
  if (StartsWith(text, kOurVersion)) return Ok();
  return Error{ErrorCode::kProtocol, remote.url().shown() + " speaks version " + Printable(text) +
                                         " of the API, this slc version 6"};
}

Result<MeshService> FindOrCreate(Remote& remote, const std::string& service, bool& created) {
  const std::string what = "find the service " + Printable(service);
  const json filter{{"order", {"id ASC"}},
                    {"where", {{"or", json::array({{{"name", service}}, {{"id", service}}})}}}};
  auto found =
      remote.Ask("GET", "/api/Services/findOne?filter=" + http::PercentEncode(DumpJson(filter)));
  if (!found) return found.error();
  if (found->head.status == 200) return ReadService(remote, what, *found);
  if (found->head.status != 404) return Refused(remote, what, *found);
  // An id that nobody has would make a service of that name.
  if (Status good = CheckServiceName(service); !good) {
    return Error{ErrorCode::kNotFound, remote.url().shown() + " has no service " +
                                           Printable(service) +
                                           ", and none can be called so: " + good.error().message};
  }
  const json wanted{{"name", service},
                    {"_groups", json::array({{{"id", 1}, {"name", "default"}, {"scale", 1}}})}};
  const std::string making = "create the service " + service;
  auto made = remote.Ask("POST", "/api/Services", DumpJson(wanted));
  if (!made) return made.error();
  if (made->head.status != 200) return Refused(remote, making, *made);
  created = true;
  return ReadService(remote, making, *made);
}

Status SetSize(Remote& remote, const MeshService& service, const std::string& size) {
  const std::string what = "set the size of " + Printable(service.name) + " to " + size;
  const std::string target = "/api/Services/" + std::to_string(service.id) + "/setClusterSize";
  auto answer = remote.Ask("POST", target, DumpJson(json{{"size", size}, {"persist", true}}));
  if (!answer) return answer.error();
  if (answer->head.status != 200) return Refused(remote, what, *answer);
  auto parsed = ParseJson(answer->body);
  if (!parsed) return NotUnderstood(remote, what);
  if (const auto error = ErrorIn(*parsed)) {
    return Error{ErrorCode::kInvalid, what + ": " + remote.url().shown() + ": " + *error};
  }
  return Ok();
}

}  // namespace slc::ctl
