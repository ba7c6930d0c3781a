// package.json, as far as it matters to slc.
#pragma once

#include <string>

#include "common/base/result.h"

namespace slc {

// Fields that are missing, or of the wrong type, are empty.
struct PackageJson {
  bool present = false;
  std::string name;
  std::string version;
  std::string main;
  std::string start;  // scripts.start
  std::string build;  // scripts.build
};

// Of a folder; not `present` if it has none. kInvalid, with the line, if it is broken.
Result<PackageJson> ReadPackageJson(const std::string& folder);

// The name of the service that a package, in the folder at this absolute path, is: its own, else
// the folder's. Empty if nothing of either is usable.
std::string ServiceNameOf(const PackageJson& package, const std::string& folder);

}  // namespace slc
