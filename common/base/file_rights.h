// FileRights: while it lives, this thread reaches files with somebody else's rights, and no
// further: the kernel judges, so that we need not guess what links, ACLs and sticky folders allow.
// For what a service with --run-as has a say in: files in its folder, the paths of its sockets.
//
// Only root can take other rights. Other threads keep theirs.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "common/base/spawn.h"

namespace slc {

class FileRights {
 public:
  // Nothing: our own rights.
  explicit FileRights(const std::optional<RunAs>& owner);
  // Aborts if our own cannot be had back.
  ~FileRights();
  FileRights(const FileRights&) = delete;
  FileRights& operator=(const FileRights&) = delete;
  // 0, or why they could not be taken: then nothing may be done.
  int errno_value() const { return errno_value_; }

 private:
  std::vector<gid_t> groups_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  bool changed_ = false;
  int errno_value_ = 0;
};

}  // namespace slc
