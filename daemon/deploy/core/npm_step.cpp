#include "daemon/deploy/core/npm_step.h"

#include "common/base/text.h"

namespace slc::deploy {
namespace {

// "a, b, c and 9 more".
std::string Some(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  if (names.size() <= kShown) return Join(names, ", ");
  const std::vector<std::string> first(names.begin(), names.begin() + kShown);
  return Join(first, ", ") + " and " + std::to_string(names.size() - kShown) + " more";
}

// Neither asks the registry for what nobody reads here.
std::vector<std::string> Fetching(const char* command) {
  return {command, "--omit=dev", "--no-audit", "--no-fund"};
}

}  // namespace

NpmStep ChooseNpmStep(const PackageFacts& facts, bool skip) {
  if (skip) return {{}, "npm is skipped, as asked for"};
  if (!facts.package_json) return {{}, "npm has nothing to do: there is no package.json"};
  // Before the lock: who packs node_modules wants these, and npm ci would fetch them all anew.
  if (facts.node_modules && facts.absent.empty()) {
    return {{"rebuild"}, "node_modules is in the pack: what is compiled is built for this machine"};
  }
  if (!facts.dependencies && !facts.install_scripts) {
    return {{}, "npm has nothing to do: package.json names no dependencies"};
  }
  std::string why;
  if (facts.node_modules) why = "node_modules lacks " + Some(facts.absent) + ", and ";
  if (facts.shrinkwrap || facts.package_lock) {
    const char* lock = facts.shrinkwrap ? "npm-shrinkwrap.json" : "package-lock.json";
    return {Fetching("ci"), why + lock + " says what to install"};
  }
  why +=
      "there is no package-lock.json: the newest versions that package.json allows are installed";
  if (!facts.other_lock.empty()) why += "; npm does not read " + facts.other_lock;
  return {Fetching("install"), why};
}

}  // namespace slc::deploy
