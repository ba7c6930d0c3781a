#include "common/model/profile.h"

#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/model/sealed_json.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kKey = "profile";

}  // namespace

const char* Name(ProfileType type) {
  return type == ProfileType::kCpu ? "cpuprofile" : "heapsnapshot";
}

std::optional<ProfileType> ProfileTypeFromName(const std::string& name) {
  for (const ProfileType type : {ProfileType::kCpu, ProfileType::kHeap}) {
    if (name == Name(type)) return type;
  }
  return std::nullopt;
}

Inspection MakerOf(ProfileType type) {
  return type == ProfileType::kCpu ? Inspection::kCpuStop : Inspection::kHeapSnapshot;
}

std::string FileNameOf(const Profile& profile) {
  return std::to_string(profile.id) + "." + Name(profile.type);
}

json ToJson(const Profile& profile) {
  return json{{"id", profile.id},
              {"service", profile.service},
              {"worker", profile.worker},
              {"pid", profile.pid},
              {"type", Name(profile.type)},
              {"by", profile.by},
              {"request", profile.request},
              {"started_ms", profile.started},
              {"completed_ms", profile.completed},
              {"bytes", profile.bytes},
              {"errored", profile.errored}};
}

Status FromJson(const json& value, Profile& profile) {
  JsonFields fields(value, "profile");
  for (const char* key : {"id", "service", "type", "started_ms"}) fields.Require(key);
  fields.Read("id", profile.id);
  fields.Read("service", profile.service);
  fields.Read("worker", profile.worker);
  fields.Read("pid", profile.pid);
  fields.ReadName("type", [&profile](const std::string& name) {
    const auto type = ProfileTypeFromName(name);
    if (type) profile.type = *type;
    return type.has_value();
  });
  fields.Read("by", profile.by);
  fields.Read("request", profile.request);
  fields.Read("started_ms", profile.started);
  fields.Read("completed_ms", profile.completed);
  fields.Read("bytes", profile.bytes);
  fields.Read("errored", profile.errored);
  if (profile.id == 0) fields.Fail("id", "a number from 1");
  if (profile.service == 0) fields.Fail("service", "a number from 1");
  return fields.status();
}

std::string EncodeProfile(const Profile& profile) {
  return DumpJsonPretty(SealJson(kKey, kSchema, ToJson(profile)));
}

Result<Profile> DecodeProfile(const std::string& text) {
  const auto content = UnsealJson(text, kKey, kSchema);
  if (!content) return content.error();
  Profile profile;
  if (Status read = FromJson(*content, profile); !read) return read.error();
  return profile;
}

}  // namespace slc
