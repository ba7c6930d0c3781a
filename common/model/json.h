// The nouns as JSON. Decoding is strict about types and ranges (see JsonFields).
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/base/result.h"
#include "common/model/gateway.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/model/profile.h"
#include "common/model/release.h"
#include "common/model/service.h"
#include "common/model/view.h"

namespace slc {

nlohmann::json ToJson(const ServiceSpec& spec);
Status FromJson(const nlohmann::json& value, ServiceSpec& spec);

nlohmann::json ToJson(const Wish& wish);
Status FromJson(const nlohmann::json& value, Wish& wish);

nlohmann::json ToJson(const GenerationConfig& config);
Status FromJson(const nlohmann::json& value, GenerationConfig& config);

nlohmann::json ToJson(const FleetWish& wish);
Status FromJson(const nlohmann::json& value, FleetWish& wish);

// As shown to people, with every member.
nlohmann::json ToJson(const ProcessView& view);
nlohmann::json ToJson(const ServiceView& view);
// As sent to slc: without those members that say nothing (empty, 0, false). FromJson gives the same
// view.
void AppendSparse(std::string& out, const ServiceView& view);
nlohmann::json ToJson(const DaemonInfo& info);
nlohmann::json ToJson(const UpgradeReport& report);
Status FromJson(const nlohmann::json& value, ProcessUpgrade& process);
Status FromJson(const nlohmann::json& value, ServiceView& view);
Status FromJson(const nlohmann::json& value, DaemonInfo& info);

nlohmann::json ToJson(const Release& release);
Status FromJson(const nlohmann::json& value, Release& release);
nlohmann::json ToJson(const ReleaseView& view);
Status FromJson(const nlohmann::json& value, ReleaseView& view);

nlohmann::json ToJson(const Profile& profile);
Status FromJson(const nlohmann::json& value, Profile& profile);

// Hashes of secrets are for the file, and for the gateway.
enum class Secrets { kHidden, kShown };
nlohmann::json ToJson(const GatewayWish& wish, Secrets secrets);
Status FromJson(const nlohmann::json& value, GatewayWish& wish);
nlohmann::json CredentialToJson(const GatewayCredential& credential);
Status FromJson(const nlohmann::json& value, GatewayCredential& credential);
nlohmann::json ToJson(const GatewayView& view);
Status FromJson(const nlohmann::json& value, GatewayView& view);

// InstanceState is written often and by a process that must stay small: it is built by appending
// text.
std::string EncodeInstanceState(const InstanceState& state);
Result<InstanceState> DecodeInstanceState(const std::string& text);

}  // namespace slc
