// Files below a folder that others can change, and nowhere else.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/base/unique_fd.h"

namespace slc {

// Opens `path` (with O_CREAT in `flags`: makes it) relative to the open `folder`, close-on-exec.
// The kernel sees to it that it lies below the folder, on the same file system, and that no
// symbolic link is on the way; as the last part one is opened itself if `flags` has O_PATH |
// O_NOFOLLOW, and refused (ELOOP) if not. Empty with errno set if it cannot be.
UniqueFd OpenBeneath(int folder, const std::string& path, int flags, mode_t mode = 0);

}  // namespace slc
