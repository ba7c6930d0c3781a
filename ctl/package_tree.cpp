#include "ctl/package_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc::ctl {
namespace {

using nlohmann::json;

struct Manifest {
  std::string name;
  std::string version;
  std::map<std::string, std::string> wants;  // name -> range
  std::set<std::string> optional;            // may be absent
};

void Collect(const json& package, const char* key, bool optional, Manifest& manifest) {
  const auto found = package.find(key);
  if (found == package.end() || !found->is_object()) return;
  for (const auto& [name, range] : found->items()) {
    if (!range.is_string()) continue;
    manifest.wants[name] = range.get<std::string>();
    if (optional) manifest.optional.insert(name);
  }
}

Result<Manifest> ReadManifest(const std::string& folder, bool root) {
  auto text = ReadFile(folder + "/package.json");
  if (!text) return text.error();
  auto parsed = ParseJson(*text);
  if (!parsed) return parsed.error().During(folder + "/package.json");
  Manifest manifest;
  if (!parsed->is_object()) {
    return Error{ErrorCode::kInvalid, folder + "/package.json: not a JSON object"};
  }
  const auto string_of = [&](const char* key) {
    const auto found = parsed->find(key);
    return found != parsed->end() && found->is_string() ? found->get<std::string>() : "";
  };
  manifest.name = string_of("name");
  manifest.version = string_of("version");
  Collect(*parsed, "dependencies", false, manifest);
  Collect(*parsed, "optionalDependencies", true, manifest);
  // Tools of the developer may well be left out in production; packages of a package always are.
  if (root) Collect(*parsed, "devDependencies", true, manifest);
  return manifest;
}

bool IsFolder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Node looks from where a package really lies, which is what makes pnpm's links work.
std::string RealPath(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string text = real;
  std::free(real);
  return text;
}

class Reader {
 public:
  explicit Reader(std::optional<std::uint32_t> depth) : depth_(depth) {}

  // The real folder of `name` as seen from a package in `from`; empty if it is not installed.
  static std::string Locate(std::string from, const std::string& name) {
    while (true) {
      if (!EndsWith(from, "/node_modules")) {
        const std::string candidate = from + "/node_modules/" + name;
        if (IsFolder(candidate)) return RealPath(candidate);
      }
      const std::size_t slash = from.rfind('/');
      if (slash == std::string::npos) return {};
      from.resize(slash);
    }
  }

  void Fill(const std::string& folder, const Manifest& manifest, std::uint32_t level,
            PackageTree& tree) {
    for (const auto& [name, range] : manifest.wants) {
      const std::string place = Locate(folder, name);
      if (place.empty()) {
        if (manifest.optional.count(name) > 0) continue;
        PackageTree absent;
        absent.name = name;
        absent.version = range;
        absent.missing = true;
        tree.dependencies.push_back(std::move(absent));
        continue;
      }
      tree.dependencies.push_back(Read(place, name, level));
    }
  }

  PackageTree Read(const std::string& place, const std::string& name, std::uint32_t level) {
    seen_.insert(place);
    PackageTree tree;
    tree.name = name;
    auto manifest = ReadManifest(place, false);
    if (!manifest) {
      tree.invalid = true;
      return tree;
    }
    tree.version = manifest->version;
    if (!manifest->name.empty()) tree.name = manifest->name;
    const bool deeper = !depth_ || level < *depth_;
    if (!deeper || manifest->wants.empty()) return tree;
    if (!expanded_.insert(place).second) {
      tree.deduped = true;
      return tree;
    }
    Fill(place, *manifest, level + 1, tree);
    return tree;
  }

  bool seen(const std::string& place) const { return seen_.count(place) > 0; }

 private:
  std::optional<std::uint32_t> depth_;
  std::set<std::string> seen_;      // folders of packages met
  std::set<std::string> expanded_;  // of these the dependencies were listed
};

// Names of the packages in a node_modules folder, scoped ones as @scope/name.
std::vector<std::string> Installed(const std::string& modules) {
  std::vector<std::string> names;
  const UniqueFd directory(::open(modules.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return names;
  auto entries = ListDirectory(directory.get());
  if (!entries) return names;
  for (const std::string& entry : *entries) {
    if (entry[0] == '.' || !IsFolder(modules + "/" + entry)) continue;
    if (entry[0] != '@') {
      names.push_back(entry);
      continue;
    }
    for (const std::string& each : Installed(modules + "/" + entry)) {
      names.push_back(entry + "/" + each);
    }
  }
  return names;
}

// What the whole tree needs, however deep: so that it is not taken for a stray when the depth is
// limited.
void MarkNeeded(const std::string& folder, const Manifest& manifest,
                std::set<std::string>& needed) {
  for (const auto& [name, range] : manifest.wants) {
    const std::string place = Reader::Locate(folder, name);
    if (place.empty() || !needed.insert(place).second) continue;
    auto inner = ReadManifest(place, false);
    if (inner) MarkNeeded(place, *inner, needed);
  }
}

void Draw(const std::vector<PackageTree>& branches, const std::string& indent, std::string& text) {
  for (const PackageTree& branch : branches) {
    const bool last = &branch == &branches.back();
    text += " " + indent + (last ? "└──" : "├──") + (branch.dependencies.empty() ? "" : "┬");
    text += Printable(branch.name) + "@" + Printable(branch.version);
    if (branch.invalid) text += " invalid";
    if (branch.missing) text += " missing";
    if (branch.deduped) text += " deduped";
    text += "\n";
    Draw(branch.dependencies, indent + (last ? "   " : "│  "), text);
  }
}

}  // namespace

Result<PackageTree> ReadPackages(const std::string& where, std::optional<std::uint32_t> depth) {
  const std::string folder = RealPath(where);
  auto manifest = ReadManifest(folder, true);
  if (!manifest) return manifest.error();
  PackageTree tree;
  tree.name = manifest->name.empty() ? folder.substr(folder.rfind('/') + 1) : manifest->name;
  tree.version = manifest->version;
  Reader reader(depth);
  reader.Fill(folder, *manifest, 0, tree);
  std::set<std::string> needed;
  MarkNeeded(folder, *manifest, needed);
  for (const std::string& name : Installed(folder + "/node_modules")) {
    const std::string place = RealPath(folder + "/node_modules/" + name);
    if (needed.count(place) > 0 || reader.seen(place)) continue;
    tree.dependencies.push_back(reader.Read(place, name, 0));
  }
  std::sort(tree.dependencies.begin(), tree.dependencies.end(),
            [](const PackageTree& a, const PackageTree& b) { return a.name < b.name; });
  return tree;
}

std::string PackagesText(const PackageTree& tree) {
  std::string text = Printable(tree.name) + "@" + Printable(tree.version) + "\n";
  Draw(tree.dependencies, "", text);
  return text;
}

}  // namespace slc::ctl
