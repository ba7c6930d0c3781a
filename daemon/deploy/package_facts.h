// What ChooseNpmStep wants to know of an unpacked release. Blocks on its disk.
#pragma once

#include "common/base/result.h"
#include "daemon/deploy/core/npm_step.h"

namespace slc::deploy {

// `folder`: the release's, open. It is a stranger's, so nothing outside of it is looked at, and
// what is no regular file is none. kInvalid for a package.json that is damaged.
Result<PackageFacts> ReadPackageFacts(int folder);

// The half without files: what package.json itself says. `required` gets the names of the
// dependencies that must be in node_modules.
Result<PackageFacts> PackageFactsIn(const std::string& package_json,
                                    std::vector<std::string>& required);

}  // namespace slc::deploy
