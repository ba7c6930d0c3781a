// MemberPath: where in the folder a member of an archive goes, from its name there. Pure.
//
// A name is bytes of a stranger's. What leads out of the folder is refused; what merely is written
// oddly ("./a//b/") is put right. Case and encoding stay as they are.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::unpack {

// Bytes, as Linux has them (NAME_MAX, PATH_MAX without its NUL).
inline constexpr std::size_t kMostNameBytes = 255;
inline constexpr std::size_t kMostPathBytes = 4095;
// Folders within folders. node_modules at its worst needs some thirty.
inline constexpr std::size_t kMostDepth = 64;

// "./package//lib/a.js" becomes "package/lib/a.js", and "./" nothing. kInvalid for what is empty,
// absolute, has a part "..", a NUL, or is longer or deeper than the limits.
Result<std::string> CleanPath(std::string_view name);

// As npm does it, the first part of each path is not unpacked: packs have all in one folder,
// whatever it is called. An archive that begins with "./" (`tar c .`) is the folder itself.
class TopFolder {
 public:
  // `path` as CleanPath gives it. Without its top folder; empty for that folder itself, or for
  // "./". kInvalid for a member that does not lie in the folder of the first one.
  Result<std::string> Strip(const std::string& path, bool is_folder);
  // "package"; "." if there is none; empty before the first member.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// Whether a symbolic link at `path` (stripped) may point to `target`: to what lies within the
// folder. ".." may stand only at the front of a target: behind a name that is a link itself, it
// would lead elsewhere than it looks. kInvalid if not.
Status CheckLinkTarget(const std::string& path, std::string_view target);

// For messages: printable, and of a length that people read.
std::string ShowName(std::string_view name);

}  // namespace slc::unpack
