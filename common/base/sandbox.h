// Sandbox: gives up for good what a program that parses what strangers send does not need.
#pragma once

#include "common/base/result.h"

namespace slc {

// No set-uid program gives more rights to us or to those we start.
Status ForbidNewPrivileges();

// From now on nothing in any file system can be opened, made, removed or listed; descriptors that
// are open go on to work. By Landlock: false where the kernel has none (before 5.13, or switched
// off), which is no error.
Result<bool> ForbidFiles();

}  // namespace slc
