// WorkCopy: a folder beside the app's in which it is built, so that the app's own, and its
// node_modules, stay as they are. Beside it, because what package.json calls "file:../lib", and
// node_modules of the folders above, are then found as ever.
//
// Gone with the object. One that a kill -9 has left behind is removed by the next build there.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {

class WorkCopy {
 public:
  // An empty one, in the folder that holds `folder`; where that cannot be written, in TMPDIR.
  static Result<WorkCopy> Make(const std::string& folder);
  WorkCopy(WorkCopy&&) noexcept;
  WorkCopy& operator=(WorkCopy&&) = delete;
  ~WorkCopy();

  const std::string& path() const { return path_; }
  // Copies what `folder` holds, but for node_modules and the repository.
  Status Fill(const std::string& folder) const;

 private:
  WorkCopy(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;  // of the folder: held as long as we live
};

}  // namespace slc::ctl
