// Build: makes of the app in a folder what can be deployed, a .tgz or a commit on a branch.
//
// Whole builds (install, then pack or commit) happen in a copy beside the folder, or in a checkout
// of HEAD: the folder, its node_modules, git's index and its work tree stay as they are. A single
// step that was asked for happens in the folder itself.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "ctl/build/pack.h"
#include "ctl/build/steps.h"
#include "ctl/options.h"

namespace slc::ctl {

struct Product {
  std::string name;     // of the service it is for
  std::string version;  // of the package
  std::string archive;  // as it is to be shown: "../my-app-1.0.0.tgz"; or empty
  Packed packed;
  std::string branch;  // or empty
  std::string commit;
  bool unchanged = false;  // the branch had it all already
};

// `folder`: absolute. A signal: kCancelled, and all is cleaned up.
Result<Product> Build(const BuildOptions& options, const std::string& folder, Steps& steps);

// "my-app-1.0.0.tgz", in the folder above the app's, is what `slc build` makes unless told
// otherwise and `slc deploy` deploys.
std::string ArchiveName(const std::string& name, const std::string& version);
// The version as it stands there; "0.0.0" if the package has none that can.
std::string ArchiveVersion(const std::string& version);
inline constexpr const char* kDeployBranch = "deploy";

}  // namespace slc::ctl
