// IgnoreRules: the .gitignore files of a tree, and what they ignore together. Pure.
//
// Paths are relative to the top of the tree: "", "src", "src/app.js". A file says more than one
// above it, a later line more than an earlier one. What lies in an ignored folder is ignored,
// whatever else is said of it: whoever walks the tree does not go there.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/path_pattern.h"

namespace slc {

// The lines of one file.
class IgnoreFile {
 public:
  static IgnoreFile Parse(std::string_view text);

  bool empty() const { return patterns_.empty(); }
  // What its last line that matches says; nothing: none does. `path`: from the file's folder.
  std::optional<bool> Ignores(std::string_view path, bool is_folder) const;

 private:
  std::vector<PathPattern> patterns_;
};

class IgnoreRules {
 public:
  // The rules that lie in `folder`; those of before are forgotten.
  void Set(const std::string& folder, IgnoreFile file);
  // Below all other rules, as .git/info/exclude.
  void SetLeast(IgnoreFile file) { least_ = std::move(file); }

  // `path` itself, its folder being none that is ignored.
  bool Ignores(std::string_view path, bool is_folder) const;
  // `path`, or a folder on the way to it.
  bool IgnoresAny(std::string_view path, bool is_folder) const;

 private:
  std::map<std::string, IgnoreFile, std::less<>> files_;
  IgnoreFile least_;
};

}  // namespace slc
