// What this process may give to its children: a limit of open files, a niceness. The kernel decides
// it by more than numbers (capabilities, user namespaces, RLIMIT_NICE), so each is tried, on the
// calling thread, and taken back at once.
#pragma once

#include <sys/resource.h>

#include "common/base/result.h"

namespace slc {

// kPermission, with what there is and what to do: "at most 20000 may be given, ...".
Status MayGiveFileLimit(rlim_t files);
Status MayGiveNice(int nice);

}  // namespace slc
