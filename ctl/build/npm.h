// What npm does in a build.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/model/package_json.h"
#include "ctl/build/steps.h"

namespace slc::ctl {

struct InstallRules {
  bool scripts = false;  // those of packages are run
  bool in_copy = true;   // `folder` is a copy that goes away: nothing but its files matters
  bool alone = false;    // the app is a package for itself, though a workspace above may name it
};

// Installs what package.json in `folder` asks for, runs its script "build" if it has one, and
// leaves only what is needed to run the app. Versions are those of the lock file if there is one.
// Without `scripts` the install scripts of packages are left to the machine that it is deployed to:
// what they build here may not run there.
Status InstallPackages(const std::string& folder, const PackageJson& package,
                       const InstallRules& rules, Steps& steps);

}  // namespace slc::ctl
