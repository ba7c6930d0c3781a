// Profiles: rows, and what their files hold.
#include <algorithm>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "daemon/gateway/core/download.h"
#include "daemon/gateway/core/scopes.h"
#include "daemon/gateway/strongloop/filter.h"
#include "daemon/gateway/strongloop/mesh_call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

http::Response Nothing() {
  http::Response nothing;
  nothing.status = 204;
  nothing.type.clear();
  return nothing;
}

std::vector<json> RowsOfProfiles(const ProfileList& profiles) {
  std::vector<json> rows;
  rows.reserve(profiles.size());
  for (const Profile& profile : profiles) rows.push_back(ProfileRow(profile));
  return rows;
}

}  // namespace

void MeshApi::WithProfiles(const Call& call, const std::string& service, OnProfiles then) {
  backend_.Ask(call.principal, ListProfiles{service},
               [call, then = std::move(then)](const Result<Reply>& reply) {
                 if (!reply) return call.respond(Refused(reply.error()));
                 if (reply->error) return call.respond(Refused(*reply->error));
                 const auto* profiles = std::get_if<ProfileList>(&reply->data);
                 then(profiles != nullptr ? *profiles : ProfileList{});
               });
}

// Of the service of {id}.
void MeshApi::WithProfilesOfService(const Call& call, OnProfiles then) {
  WithService(call, [this, call, then = std::move(then)](const ServiceView& view) {
    WithProfiles(call, std::to_string(view.id), then);
  });
}

void MeshApi::WithProfile(const Call& call, std::function<void(const Profile& profile)> then) {
  WithProfilesOfService(call, [call, then = std::move(then)](const ProfileList& profiles) {
    const std::string& text = call.parameters.at("profile");
    const auto id = Number(text);
    for (const Profile& profile : profiles) {
      if (id && profile.id == *id) return then(profile);
    }
    call.respond(Unknown(NameOf(Model::kProfiles), text));
  });
}

void MeshApi::ProfilesOfService(const Call& call) {
  WithProfilesOfService(call, [this, call](const ProfileList& profiles) {
    AnswerRows(call, RowsOfProfiles(profiles));
  });
}

void MeshApi::CountProfilesOfService(const Call& call) {
  WithProfilesOfService(call, [call](const ProfileList& profiles) {
    const auto filter = Filter::OfWhere(call.target.query);
    if (!filter) return call.respond(Failure(400, filter.error().message));
    const auto rows = RowsOfProfiles(profiles);
    const auto count = std::count_if(rows.begin(), rows.end(),
                                     [&](const json& row) { return filter->Matches(row); });
    call.respond(Answer(json{{"count", count}}));
  });
}

void MeshApi::GetProfile(const Call& call) {
  WithProfile(call, [call](const Profile& profile) { call.respond(Answer(ProfileRow(profile))); });
}

// One after the other; `answer` is given when all are gone.
void MeshApi::RemoveProfiles(const Call& call, ProfileList profiles, http::Response answer) {
  if (profiles.empty()) return call.respond(answer);
  const Profile last = profiles.back();
  profiles.pop_back();
  backend_.Ask(call.principal, RemoveProfile{std::to_string(last.service), last.id},
               [this, call, profiles = std::move(profiles),
                answer = std::move(answer)](const Result<Reply>& reply) mutable {
                 if (!reply) return call.respond(Refused(reply.error()));
                 const bool gone = reply->error && reply->error->code == ErrorCode::kNotFound;
                 if (reply->error && !gone) return call.respond(Refused(*reply->error));
                 RemoveProfiles(call, std::move(profiles), std::move(answer));
               });
}

void MeshApi::DeleteProfile(const Call& call) {
  // LoopBack tells the count of what is deleted by its model, and nothing of what is by another's.
  if (call.model == Model::kServices) {
    return WithProfile(
        call, [this, call](const Profile& profile) { RemoveProfiles(call, {profile}, Nothing()); });
  }
  WithProfiles(call, {}, [this, call](ProfileList profiles) {
    const auto id = Number(call.id());
    std::erase_if(profiles, [&](const Profile& each) { return !id || each.id != *id; });
    const std::size_t count = profiles.size();
    RemoveProfiles(call, std::move(profiles), Answer(json{{"count", count}}));
  });
}

void MeshApi::DeleteProfilesOfService(const Call& call) {
  WithProfilesOfService(call, [this, call](const ProfileList& profiles) {
    RemoveProfiles(call, profiles, Nothing());
  });
}

void MeshApi::DownloadProfile(const Call& call) {
  const std::string& text = call.parameters.at("profile");
  const auto id = ParseInteger(text, 1, std::numeric_limits<ProfileId>::max());
  if (!id) return call.respond(Unknown("ProfileData", text));
  ReadProfile read{call.id(), static_cast<ProfileId>(*id), Grants(call.scopes, Scope::kAdmin)};
  backend_.Ask(call.principal, std::move(read), [call, text](Result<Reply> reply) {
    if (!reply) return call.respond(Refused(reply.error()));
    if (reply->error) {
      const bool unknown = reply->error->code == ErrorCode::kNotFound;
      return call.respond(unknown ? Unknown("ProfileData", text) : Refused(*reply->error));
    }
    const auto* profiles = std::get_if<ProfileList>(&reply->data);
    if (profiles == nullptr || profiles->empty()) {
      return call.respond(Failure(500, "slcd does not say which profile it is"));
    }
    const Profile& profile = profiles->front();
    if (!profile.errored.empty()) {
      return call.respond(Failure(500, "Profiling failed: " + profile.errored));
    }
    // The client asks again.
    if (!profile.whole()) return call.respond(Nothing());
    if (reply->descriptors.empty()) return call.respond(Failure(500, "slcd sent no file"));
    call.send(DownloadHead(profile), std::move(reply->descriptors.front()));
  });
}

}  // namespace slc::gateway
