#include "daemon/deploy/package_facts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <nlohmann/json.hpp>

#include "common/base/beneath.h"
#include "common/base/files.h"
#include "common/model/json_fields.h"

namespace slc::deploy {
namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = 1U << 20;

bool HasSome(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && (found->is_object() || found->is_array()) && !found->empty();
}

bool IsRegular(int folder, const std::string& name) {
  struct stat info {};
  return ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

Result<PackageFacts> PackageFactsIn(const std::string& package_json,
                                    std::vector<std::string>& required) {
  const auto parsed = ParseJson(package_json);
  if (!parsed) return parsed.error().During("package.json");
  if (!parsed->is_object()) return Error{ErrorCode::kInvalid, "package.json is no JSON object"};
  PackageFacts facts;
  facts.package_json = true;
  for (const char* key : {"dependencies", "optionalDependencies", "workspaces"}) {
    facts.dependencies = facts.dependencies || HasSome(*parsed, key);
  }
  if (HasSome(*parsed, "scripts")) {
    for (const char* key : {"preinstall", "install", "postinstall"}) {
      facts.install_scripts = facts.install_scripts || parsed->at("scripts").contains(key);
    }
  }
  if (!HasSome(*parsed, "dependencies") || !parsed->at("dependencies").is_object()) return facts;
  const json none = json::object();
  const json& optional =
      HasSome(*parsed, "optionalDependencies") ? parsed->at("optionalDependencies") : none;
  for (const auto& each : parsed->at("dependencies").items()) {
    if (!optional.is_object() || !optional.contains(each.key())) required.push_back(each.key());
  }
  return facts;
}

Result<PackageFacts> ReadPackageFacts(int folder) {
  if (!IsRegular(folder, "package.json")) return PackageFacts{};
  const auto text = ReadFileAt(folder, "package.json", kMostBytes);
  if (!text) return text.error();
  std::vector<std::string> required;
  auto facts = PackageFactsIn(*text, required);
  if (!facts) return facts.error();
  facts->install_scripts = facts->install_scripts || IsRegular(folder, "binding.gyp");
  facts->package_lock = IsRegular(folder, "package-lock.json");
  facts->shrinkwrap = IsRegular(folder, "npm-shrinkwrap.json");
  for (const char* lock : {"yarn.lock", "pnpm-lock.yaml"}) {
    if (IsRegular(folder, lock)) facts->other_lock = lock;
  }
  const UniqueFd modules = OpenBeneath(folder, "node_modules", O_PATH | O_DIRECTORY);
  facts->node_modules = static_cast<bool>(modules);
  for (const std::string& name : required) {
    // A link to a workspace is one of these, too.
    if (modules && OpenBeneath(modules.get(), name, O_PATH | O_NOFOLLOW)) continue;
    facts->absent.push_back(name);
  }
  return facts;
}

}  // namespace slc::deploy
