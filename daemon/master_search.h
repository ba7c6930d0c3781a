// Master search: is there a living master of an instance, and who is it?
#pragma once

#include <string>

#include "common/base/process.h"
#include "common/base/unique_fd.h"

namespace slc {

// What connecting to a master that may live already has come to.
struct MasterContact {
  bool nobody = false;
  // A link, and who holds its other end; no socket: it cannot be told now whether there is one.
  UniqueFd socket;
  ProcessIdentity master;
  UniqueFd pidfd;
  std::string trouble;  // why not
};

// `directory`: the open run directory of the instance.
MasterContact ContactMaster(int directory);

// The name of the service that a master works for, from its command line: known even of one that
// does not answer. Empty if it cannot be told.
std::string ServiceNameOf(const ProcessIdentity& master);

}  // namespace slc
