// WatchRules: which folders of an app are watched, and which files count. Pure.
//
// Paths are relative to the app's folder. Never: what .gitignore ignores, node_modules, names that
// begin with a dot, logs, and what editors and runtimes leave beside files. `.env` of the app's
// folder counts all the same: slc reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/ignore_rules.h"

namespace slc {

class WatchRules {
 public:
  // `only`: patterns as of a .gitignore; of files that count anyway only those that match do.
  explicit WatchRules(const std::vector<std::string>& only = {});

  // A pattern of --watch-only that could match nothing is refused.
  static bool IsPattern(const std::string& pattern);

  // The app's folder lies there within the tree that the rules of git are about; "" : at its top.
  void SetPlace(std::string place) { place_ = std::move(place); }
  // Rules of `folder` within that tree.
  void SetIgnored(const std::string& folder, IgnoreFile file) { git_.Set(folder, std::move(file)); }
  void SetLeastIgnored(IgnoreFile file) { git_.SetLeast(std::move(file)); }
  // `folder` of the app is somebody's own: slcd's home.
  void SetForeign(std::string folder) { foreign_ = std::move(folder); }

  // Within the tree.
  std::string PlaceOf(std::string_view path) const;
  // The app's folder itself is ignored by rules from above it.
  bool IgnoresAll() const { return !place_.empty() && git_.IgnoresAny(place_, true); }
  // `folder`, which is not "" and lies in one that is watched, is to be watched, too.
  bool Watches(std::string_view folder) const;
  // All that lies in `folder`, which is watched, is the app's, whatever the names of files.
  bool CountsWhole(std::string_view folder) const;
  // A change of `file`, in a folder that is watched, is one of the app.
  bool Counts(std::string_view file) const;

 private:
  IgnoreFile only_;
  IgnoreRules git_;
  std::string place_;
  std::string foreign_;
};

}  // namespace slc
