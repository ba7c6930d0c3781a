// Scopes: what a client has to be granted for each request of the control protocol. One table for
// all interfaces: StrongLoop's, /v1, and slc itself from another machine. Pure.
#pragma once

#include <optional>
#include <variant>

#include "common/model/gateway.h"
#include "common/wire/messages.h"

namespace slc::gateway {

// Not from afar, whoever asks: what names files or programs of this machine, decides who may ask,
// or replaces slcd itself.
inline constexpr std::optional<Scope> kHereOnly = std::nullopt;

// One for each alternative of RequestBody; none for all the rest, so that nobody forgets one.
constexpr std::optional<Scope> ScopeOf(const StartService*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const CreateService*) { return Scope::kDeploy; }
constexpr std::optional<Scope> ScopeOf(const ListServices*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const GetStatus*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const GetInfo*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const RunService*) { return Scope::kOperate; }
constexpr std::optional<Scope> ScopeOf(const StopService*) { return Scope::kOperate; }
constexpr std::optional<Scope> ScopeOf(const RestartService*) { return Scope::kOperate; }
constexpr std::optional<Scope> ScopeOf(const SetSize*) { return Scope::kOperate; }
constexpr std::optional<Scope> ScopeOf(const SetEnvironment*) { return Scope::kDeploy; }
constexpr std::optional<Scope> ScopeOf(const RemoveService*) { return Scope::kAdmin; }
constexpr std::optional<Scope> ScopeOf(const Shutdown*) { return Scope::kAdmin; }
constexpr std::optional<Scope> ScopeOf(const UpgradeAll*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const GetGateway*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const SetGateway*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const AddCredential*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const RemoveCredential*) { return kHereOnly; }
// Its answer holds the hashes of all credentials.
constexpr std::optional<Scope> ScopeOf(const ServeGateway*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const ReadLogs*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const ReadEvents*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const DumpLogs*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const ListPackages*) { return Scope::kRead; }
// A heap holds secrets, and a debugger runs any code in the worker. Null: whatever it is about.
constexpr std::optional<Scope> ScopeOf(const InspectWorker* look) {
  const bool profile = look != nullptr && look->what != Inspection::kHeapSnapshot &&
                       look->what != Inspection::kDebugStart &&
                       look->what != Inspection::kDebugStop;
  return profile ? Scope::kOperate : Scope::kAdmin;
}
constexpr std::optional<Scope> ScopeOf(const PrintLook*) { return Scope::kRead; }
// From afar it is a PUT or a git push: its archive is a descriptor, and folders are this machine's.
constexpr std::optional<Scope> ScopeOf(const Deploy*) { return kHereOnly; }
constexpr std::optional<Scope> ScopeOf(const ListReleases*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const Rollback*) { return Scope::kDeploy; }
// Its answer is a descriptor of git's.
constexpr std::optional<Scope> ScopeOf(const ServeGit*) { return kHereOnly; }

// Null: whatever it is about.
constexpr std::optional<Scope> ScopeOf(const CaptureProfile* capture) {
  const bool cpu = capture != nullptr && capture->type == ProfileType::kCpu;
  return cpu ? Scope::kOperate : Scope::kAdmin;
}
constexpr std::optional<Scope> ScopeOf(const ListProfiles*) { return Scope::kRead; }
constexpr std::optional<Scope> ScopeOf(const ReadProfile* read) {
  return read != nullptr && !read->secrets ? Scope::kOperate : Scope::kAdmin;
}
constexpr std::optional<Scope> ScopeOf(const RemoveProfile*) { return Scope::kOperate; }

inline std::optional<Scope> ScopeOf(const RequestBody& body) {
  return std::visit([](const auto& request) { return ScopeOf(&request); }, body);
}

// Of a route that leads to a request of this kind. There is none to one that is kHereOnly.
template <typename Body>
inline constexpr Scope kScopeOf = ScopeOf(static_cast<const Body*>(nullptr)).value();

}  // namespace slc::gateway
