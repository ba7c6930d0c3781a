// What is deployed: an archive, or a branch of the repository.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "ctl/build/steps.h"

namespace slc::ctl {

struct DeploySource {
  std::string name;     // for people: "../my-app-1.0.0.tgz", "deploy"
  std::string archive;  // absolute path; empty if it is a branch
  std::string branch;
  std::string folder;      // of the branch's repository, or below it
  std::string service;     // as the package in `folder` is called; empty if there is none
  std::uint64_t size = 0;  // of the archive, bytes
};

// `what` as typed: a file or a branch; empty: what `slc build` has made of the app in `folder` (an
// absolute path), the archive above it, else the branch. kNotFound, with what to do.
Result<DeploySource> FindDeploySource(const std::string& what, const std::string& folder,
                                      Steps& steps);

}  // namespace slc::ctl
