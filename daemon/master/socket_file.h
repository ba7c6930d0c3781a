// The file of a unix socket that a worker asked for. Its path is the worker's choice, so nothing
// here reaches further than the worker itself could: with --run-as it is made and replaced with the
// target user's rights, and removed only if it still is the very file that was bound. Only the last
// folder of the path is opened; that one stays the same, whatever is renamed meanwhile.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/base/spawn.h"
#include "common/model/instance.h"

namespace slc {

// Binds `socket` to facts.address and notes which file that is in the facts. A socket file on which
// nobody listens is replaced. `owner`: with whose rights, nothing: our own. Returns an errno value,
// 0 if it is bound.
int BindSocketFile(int socket, ListenerFacts& facts, mode_t mode,
                   const std::optional<RunAs>& owner);

// Removes the file unless the name is another file's by now.
void RemoveSocketFile(const ListenerFacts& facts);

}  // namespace slc
