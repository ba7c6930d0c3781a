// Packs a folder into a .tgz as npm and StrongLoop's process manager know it: all members lie below
// "package/". Compressed by the system's gzip, beside us.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "ctl/build/steps.h"
#include "ctl/build/tree.h"

namespace slc::ctl {

struct Packed {
  std::size_t files = 0;
  std::uint64_t bytes = 0;  // of the archive
};

// `output` is replaced when the archive is complete, and not touched before. Equal trees make equal
// archives.
Result<Packed> Pack(const std::string& folder, const Tree& tree, const std::string& output,
                    Steps& steps);

}  // namespace slc::ctl
