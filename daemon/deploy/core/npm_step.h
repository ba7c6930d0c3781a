// NpmStep: which command of npm makes an unpacked release complete, from what is in its folder.
// Pure. The reason is for the deployer, who sees it before npm's output.
//
// npm works in the release's own folder, where there is a package.json: it would else look for one
// in the folders above.
#pragma once

#include <string>
#include <vector>

namespace slc::deploy {

struct PackageFacts {
  bool package_json = false;        // there is one, an object of JSON
  bool dependencies = false;        // it names some that are not only for development
  bool install_scripts = false;     // preinstall, install or postinstall of its own, or binding.gyp
  std::vector<std::string> absent;  // dependencies, optional ones left out, not in node_modules
  bool node_modules = false;
  bool package_lock = false;
  bool shrinkwrap = false;
  std::string other_lock;  // "yarn.lock", "pnpm-lock.yaml"; empty: none
};

struct NpmStep {
  std::vector<std::string> arguments;  // behind "npm"; empty: nothing is to be done
  std::string reason;

  bool operator==(const NpmStep&) const = default;
};

// `skip`: as the deployer or the operator wants it.
NpmStep ChooseNpmStep(const PackageFacts& facts, bool skip);

}  // namespace slc::deploy
