#include "common/model/release.h"

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/model/sealed_json.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kKey = "release";
constexpr std::array<const char*, 3> kOrigins{"tarball", "git", "folder"};
constexpr std::array<const char*, 2> kStates{"preparing", "proven"};

template <typename Enum, std::size_t Size>
std::optional<Enum> FromName(const std::array<const char*, Size>& names, const std::string& name) {
  for (std::size_t i = 0; i < Size; ++i) {
    if (name == names[i]) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

const char* Name(ReleaseOrigin value) { return kOrigins[static_cast<std::size_t>(value)]; }
const char* Name(ReleaseState value) { return kStates[static_cast<std::size_t>(value)]; }

std::optional<ReleaseOrigin> ReleaseOriginFromName(const std::string& name) {
  return FromName<ReleaseOrigin>(kOrigins, name);
}

std::optional<ReleaseState> ReleaseStateFromName(const std::string& name) {
  return FromName<ReleaseState>(kStates, name);
}

json ToJson(const Release& release) {
  return json{{"number", release.number},
              {"name", release.name},
              {"hash", release.hash},
              {"sha256", release.sha256},
              {"origin", Name(release.origin)},
              {"branch", release.branch},
              {"folder", release.folder},
              {"by", release.by},
              {"when", release.when},
              {"bytes", release.bytes},
              {"entries", release.entries},
              {"npm", release.npm},
              {"npm_reason", release.npm_reason},
              {"state", Name(release.state)}};
}

Status FromJson(const json& value, Release& release) {
  JsonFields fields(value, "release");
  for (const char* key : {"number", "name", "hash", "origin", "state"}) fields.Require(key);
  fields.Read("number", release.number);
  fields.Read("name", release.name);
  fields.Read("hash", release.hash);
  fields.Read("sha256", release.sha256);
  fields.ReadName("origin", [&release](const std::string& name) {
    const auto origin = ReleaseOriginFromName(name);
    if (origin) release.origin = *origin;
    return origin.has_value();
  });
  fields.Read("branch", release.branch);
  fields.Read("folder", release.folder);
  fields.Read("by", release.by);
  fields.Read("when", release.when);
  fields.Read("bytes", release.bytes);
  fields.Read("entries", release.entries);
  fields.Read("npm", release.npm);
  fields.Read("npm_reason", release.npm_reason);
  fields.ReadName("state", [&release](const std::string& name) {
    const auto state = ReleaseStateFromName(name);
    if (state) release.state = *state;
    return state.has_value();
  });
  // It becomes a part of paths.
  if (!IsReleaseName(release.name)) fields.Fail("name", "a release's name");
  return fields.status();
}

json ToJson(const ReleaseView& view) {
  json value = ToJson(view.release);
  value["in_service"] = view.in_service;
  return value;
}

Status FromJson(const json& value, ReleaseView& view) {
  if (Status good = FromJson(value, view.release); !good) return good;
  JsonFields fields(value, "release");
  fields.Read("in_service", view.in_service);
  return fields.status();
}

bool IsReleaseName(const std::string& name) {
  constexpr std::size_t kLeast = 8;
  constexpr std::size_t kMost = 64;  // SHA-256
  const std::size_t dot = name.find('.');
  const std::string_view hash = std::string_view(name).substr(0, dot);
  if (hash.size() < kLeast || hash.size() > kMost || !IsHex(hash)) return false;
  return dot == std::string::npos ||
         ParseInteger(std::string_view(name).substr(dot + 1), 2, 999'999);
}

std::string EncodeRelease(const Release& release) {
  return DumpJsonPretty(SealJson(kKey, kSchema, ToJson(release)));
}

Result<Release> DecodeRelease(const std::string& text) {
  const auto content = UnsealJson(text, kKey, kSchema);
  if (!content) return content.error();
  Release release;
  if (Status read = FromJson(*content, release); !read) return read.error();
  return release;
}

}  // namespace slc
