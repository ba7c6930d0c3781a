// Descriptor rescue: duplicates of what a master holds for its workers, taken by pidfd_getfd from a
// master that is stopped or hangs and so cannot send them.
//
// Which number is what stands in its snapshot (InstanceState::held), which is found among its open
// files. The master is not touched and may go on at any moment: only what its snapshot named before
// and after counts.
#pragma once

#include <map>
#include <string>

#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

// By name, the snapshot among them. All or nothing: an error if one of them cannot be had. The
// system refuses those of another user, and by Yama's ptrace_scope 2 and 3 of everybody.
Result<std::map<std::string, UniqueFd>> TakeDescriptorsOf(const ProcessIdentity& master,
                                                          const UniqueFd& pidfd);

}  // namespace slc
