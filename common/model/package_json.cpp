#include "common/model/package_json.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "common/model/service.h"

namespace slc {
namespace {

using nlohmann::json;

// Why `text` is not JSON, with its line.
std::string DescribeBrokenJson(const std::string& text) {
  try {
    const json ignored = json::parse(text);
  } catch (const json::parse_error& error) {
    const std::size_t at = std::min(error.byte, text.size());
    const auto before = text.begin() + static_cast<std::ptrdiff_t>(at);
    const auto line = 1 + std::count(text.begin(), before, '\n');
    return "broken at line " + std::to_string(line);
  }
  return "nested too deeply";
}

std::string TextOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string LastPart(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string FolderServiceName(const std::string& folder) {
  std::string name = ToServiceName(LastPart(folder));
  if (!name.empty()) return name;
  // "/", or a folder whose name has nothing usable: a symbolic link's target may have.
  char* real = ::realpath(folder.c_str(), nullptr);
  if (real == nullptr) return {};
  name = ToServiceName(LastPart(real));
  std::free(real);
  return name;
}

}  // namespace

Result<PackageJson> ReadPackageJson(const std::string& folder) {
  PackageJson package;
  const std::string path = folder + (EndsWith(folder, "/") ? "" : "/") + "package.json";
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return package;
  auto text = ReadFile(path);
  if (!text) return text.error();
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (StartsWith(*text, kByteOrderMark)) text->erase(0, kByteOrderMark.size());
  auto parsed = ParseJson(*text);
  if (!parsed) return Error{ErrorCode::kInvalid, path + ": " + DescribeBrokenJson(*text)};
  if (!parsed->is_object()) return Error{ErrorCode::kInvalid, path + ": is no JSON object"};
  package.present = true;
  package.name = TextOf(*parsed, "name");
  package.version = TextOf(*parsed, "version");
  package.main = TextOf(*parsed, "main");
  const auto scripts = parsed->find("scripts");
  if (scripts != parsed->end() && scripts->is_object()) {
    package.start = TextOf(*scripts, "start");
    package.build = TextOf(*scripts, "build");
  }
  return package;
}

std::string ServiceNameOf(const PackageJson& package, const std::string& folder) {
  std::string name = ToServiceName(package.name);
  return name.empty() ? FolderServiceName(folder) : name;
}

}  // namespace slc
