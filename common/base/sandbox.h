// Sandbox: gives up for good what a program that parses what strangers send does not need.
#pragma once

#include "common/base/result.h"
#include "common/base/spawn.h"

namespace slc {

// Becomes `user` with its groups, by which root alone loses rights, and then loses what
// capabilities are left: even root has only the rights of a file's owner afterwards. There is no
// way back. Nothing: stays who we are. For programs of one thread; others spawn what needs less.
Status DropRights(const std::optional<RunAs>& user);

// No set-uid program gives more rights to us or to those we start.
Status ForbidNewPrivileges();

// From now on nothing in any file system can be opened, made, removed or listed; descriptors that
// are open go on to work. By Landlock: false where the kernel has none (before 5.13, or switched
// off), which is no error.
Result<bool> ForbidFiles();
// The same, but below the open `folder` files, folders and symbolic links can be made, and files
// written and read. Nothing is executed, removed or moved there.
Result<bool> ForbidFilesOutside(int folder);

}  // namespace slc
