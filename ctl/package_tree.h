// Package tree: the npm packages a folder has, as `require` would find them. Reads the disk, runs
// nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace slc::ctl {

struct PackageTree {
  std::string name;
  std::string version;
  bool missing = false;                   // declared, but not installed
  bool invalid = false;                   // installed, but its package.json cannot be read
  bool deduped = false;                   // shown before with its own dependencies
  std::vector<PackageTree> dependencies;  // by name
};

// `depth` 0: direct dependencies only; absent: all. Installed packages that nobody declares are
// listed with the direct ones.
Result<PackageTree> ReadPackages(const std::string& where, std::optional<std::uint32_t> depth);

// As the original printed it (npm's topiary).
std::string PackagesText(const PackageTree& tree);

}  // namespace slc::ctl
