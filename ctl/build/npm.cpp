#include "ctl/build/npm.h"

#include <unistd.h>

#include <utility>

namespace slc::ctl {
namespace {

bool Has(const std::string& folder, const char* name) {
  return ::access((folder + "/" + name).c_str(), F_OK) == 0;
}

Step NpmStep(const std::string& folder, Words command) {
  Step step;
  step.command = std::move(command);
  step.command.insert(step.command.begin(), "npm");
  step.folder = folder;
  // Nobody looks at a bar or at advertisements.
  step.environment = {{"npm_config_progress", "false"},
                      {"npm_config_update_notifier", "false"},
                      {"npm_config_fund", "false"},
                      {"npm_config_audit", "false"}};
  return step;
}

}  // namespace

Status InstallPackages(const std::string& folder, const PackageJson& package,
                       const InstallRules& rules, Steps& steps) {
  const bool locked = Has(folder, "package-lock.json") || Has(folder, "npm-shrinkwrap.json");
  if (!locked && (Has(folder, "yarn.lock") || Has(folder, "pnpm-lock.yaml"))) {
    steps.Note(
        "npm does not read the lock file of yarn or pnpm: versions may be others than there");
  }
  // What is for development is needed by the script "build" at most, and by scripts like "prepare".
  const bool development = rules.scripts || !package.build.empty();
  Step install = NpmStep(folder, {locked ? "ci" : "install"});
  install.command.emplace_back(development ? "--include=dev" : "--omit=dev");
  if (!rules.scripts) install.command.emplace_back("--ignore-scripts");
  // A link to a folder beside the app would lead nowhere elsewhere.
  if (rules.in_copy) install.command.emplace_back("--install-links");
  // One that nobody keeps would only tie the machine that it is deployed to.
  if (rules.in_copy && !locked) install.command.emplace_back("--no-package-lock");
  if (rules.alone) install.command.emplace_back("--no-workspaces");
  install.begins_with_reason = true;
  install.advice =
      locked ? "if package.json and its lock file do not fit: run npm install, and keep both"
             : "does npm install work in the folder of the app?";
  if (auto ran = steps.Run(install); !ran) return ran.error();
  if (!package.build.empty()) {
    Step build = NpmStep(folder, {"run", "build"});
    build.advice = "it is the script \"build\" of package.json that failed";
    if (auto ran = steps.Run(build); !ran) return ran.error();
  }
  if (!development) return Ok();
  Step prune = NpmStep(folder, {"prune", "--omit=dev"});
  if (!rules.scripts) prune.command.emplace_back("--ignore-scripts");
  if (rules.in_copy) prune.command.emplace_back("--install-links");
  if (rules.in_copy && !locked) prune.command.emplace_back("--no-package-lock");
  if (rules.alone) prune.command.emplace_back("--no-workspaces");
  prune.begins_with_reason = true;
  if (auto ran = steps.Run(prune); !ran) return ran.error();
  return Ok();
}

}  // namespace slc::ctl
