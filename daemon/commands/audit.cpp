#include "daemon/commands/audit.h"

#include <variant>
#include <vector>

#include "common/base/text.h"

namespace slc {
namespace {

std::string Describe(const StartService& body) {
  std::vector<std::string> parts{body.spec.script + " in " + body.spec.directory};
  if (body.size) parts.push_back("size " + FormatSize(*body.size));
  if (body.replace) parts.emplace_back("replacing the one of another folder");
  if (!body.spec.environment.empty()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : body.spec.environment) names.push_back(name);
    parts.push_back("env " + Join(names, " "));
  }
  std::vector<std::string> others;
  for (const std::string& option : body.given) {
    if (option != "size" && option != "env") others.push_back(option);
  }
  if (!others.empty()) parts.push_back("with " + Join(others, " "));
  return Join(parts, ", ");
}
std::string Describe(const CreateService& body) { return "size " + FormatSize(body.size); }
std::string Describe(const SetSize& body) { return "size " + FormatSize(body.size); }
std::string Describe(const SetEnvironment& body) {
  std::vector<std::string> names;
  for (const auto& [name, value] : body.set) names.push_back(name);
  std::vector<std::string> parts;
  if (!names.empty()) parts.push_back("set " + Join(names, " "));
  if (!body.unset.empty()) parts.push_back("unset " + Join(body.unset, " "));
  if (!body.restart) parts.emplace_back("for the next restart");
  return Join(parts, ", ");
}
std::string Describe(const RestartService& body) {
  return body.parallel > 1 ? std::to_string(body.parallel) + " at a time" : std::string();
}
std::string Describe(const SetGateway& body) {
  if (!body.wish.run) return "gateway off";
  std::string text = "gateway on";
  if (!body.wish.listen.empty()) text += " " + Join(body.wish.listen, " ");
  for (const GatewayCredential& user : body.wish.credentials) text += ", user " + user.name;
  return text;
}
std::string Describe(const AddCredential& body) {
  std::vector<std::string> scopes;
  for (const Scope scope : body.credential.scopes) scopes.emplace_back(ScopeName(scope));
  return body.credential.name + ": " + Join(scopes, " ");
}
std::string Describe(const RemoveCredential& body) { return body.name; }
std::string Describe(const InspectWorker& body) { return "worker " + std::to_string(body.worker); }
std::string Describe(const Deploy& body) {
  switch (body.origin) {
    case ReleaseOrigin::kGit:
      return "branch " + Printable(body.branch) + ", commit " + body.commit.substr(0, 12);
    case ReleaseOrigin::kFolder:
      return "the folder " + Printable(body.folder);
    case ReleaseOrigin::kTarball:
      break;
  }
  return "an archive";
}
std::string Describe(const Rollback& body) {
  return body.release.empty() ? std::string() : "to release " + Printable(body.release);
}
std::string Describe(const CaptureProfile& body) {
  return "worker " + std::to_string(body.worker) + ", kept";
}
std::string Describe(const RemoveProfile& body) {
  return "profile " + std::to_string(body.profile);
}
template <typename Body>
std::string Describe(const Body&) {
  return {};
}

std::string NamedBy(const StartService& body) { return body.spec.name; }
std::string NamedBy(const CreateService& body) { return body.name; }
std::string NamedBy(const ListServices&) { return {}; }
std::string NamedBy(const GetInfo&) { return {}; }
std::string NamedBy(const Shutdown&) { return {}; }
std::string NamedBy(const UpgradeAll&) { return {}; }
std::string NamedBy(const GetGateway&) { return {}; }
std::string NamedBy(const SetGateway&) { return {}; }
std::string NamedBy(const AddCredential&) { return {}; }
std::string NamedBy(const RemoveCredential&) { return {}; }
std::string NamedBy(const ServeGateway&) { return {}; }
template <typename Body>
std::string NamedBy(const Body& body) {
  return body.service;
}

}  // namespace

bool IsChange(const RequestBody& body) {
  return !std::holds_alternative<ListServices>(body) && !std::holds_alternative<GetStatus>(body) &&
         !std::holds_alternative<GetInfo>(body) && !std::holds_alternative<GetGateway>(body) &&
         !std::holds_alternative<ServeGateway>(body) && !std::holds_alternative<ReadLogs>(body) &&
         !std::holds_alternative<ReadEvents>(body) && !std::holds_alternative<DumpLogs>(body) &&
         !std::holds_alternative<ListPackages>(body) && !std::holds_alternative<PrintLook>(body) &&
         !std::holds_alternative<ListReleases>(body) && !std::holds_alternative<ServeGit>(body) &&
         !std::holds_alternative<ListProfiles>(body) && !std::holds_alternative<ReadProfile>(body);
}

const char* NameOfChange(const RequestBody& body) {
  if (std::holds_alternative<StartService>(body)) return "start";
  if (const auto* restart = std::get_if<RestartService>(&body)) {
    return restart->mode == RollMode::kRolling ? "soft-restart" : "restart";
  }
  if (const auto* stop = std::get_if<StopService>(&body)) return stop->soft ? "soft-stop" : "stop";
  if (const auto* setting = std::get_if<SetEnvironment>(&body)) {
    return setting->set.empty() ? "env-unset" : "env-set";
  }
  if (const auto* look = std::get_if<InspectWorker>(&body)) return Name(look->what);
  if (const auto* capture = std::get_if<CaptureProfile>(&body)) {
    return Name(MakerOf(capture->type));
  }
  return VerbOf(body);
}

std::string ServiceNamedBy(const RequestBody& body) {
  return std::visit([](const auto& request) { return NamedBy(request); }, body);
}

std::string DescribeRequest(const RequestBody& body) {
  return std::visit([](const auto& request) { return Describe(request); }, body);
}

}  // namespace slc
