// Tree: what belongs to a release of the app in a folder: all files but the repository, and the
// litter of editors and tools.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace slc::ctl {

struct TreeEntry {
  enum class Kind { kFile, kFolder, kLink };

  std::string path;  // from the folder on: "lib/a.js"
  Kind kind = Kind::kFile;
  mode_t mode = 0;           // permissions; no set-uid, set-gid or sticky bit
  std::uint64_t size = 0;    // of a file, bytes
  std::int64_t changed = 0;  // seconds since 1970
  std::string target;        // of a link
};

struct Tree {
  std::vector<TreeEntry>
      entries;  // a folder before what it holds; sorted by the bytes of the names
  std::vector<std::string> left_out;  // sockets, devices and the like, and repositories (.git)
  // Links that lead out of the folder, or to an absolute path: where the release is unpacked they
  // would lead nowhere.
  std::vector<TreeEntry> stray;
};

struct TreeRules {
  std::string skip;     // a folder of that name is passed over, wherever it is
  bool litter = false;  // litter belongs to it too
};
Result<Tree> ListTree(const std::string& folder, const TreeRules& rules = {});

// Whether a name is that of a folder or file that no release needs, or that could hold a password
// for npm's registry: ".svn", ".DS_Store", ".a.js.swp", ".npmrc".
bool IsLitter(std::string_view name);

// Whether a link at `path` of a folder leads out of that, as far as the names tell.
bool LeadsOut(std::string_view path, std::string_view target);

// kInvalid, with what to do, if there are stray links.
Status CheckLinks(const Tree& tree);

// Gives the content of a file piece by piece. kConflict if it has not as many bytes as it had.
Status ReadEntry(const std::string& folder, const TreeEntry& entry,
                 const std::function<Status(std::string_view)>& take);

}  // namespace slc::ctl
