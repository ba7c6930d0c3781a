// Standing: what a master must tell the image that goes on in its place, besides descriptors (see
// common/wire/inheritance.h) and its snapshot.
//
//   "lock" "directory" "control"   of the instance: its lock, its run directory, master.sock
//   "link"                         the connection with the daemon that rules
//   "rest/WORKER/out|err"          the beginning of a line that was read from its pipe
//   "partial/WORKER"               the same of its channel
//   "handles/WORKER"               which of the descriptors it was sent it has answered
//   "waiting/NUMBER/KEY"           a connection that was accepted and that no worker has
//   "flight/WORKER/SEQ/NUMBER/KEY" one that a worker has got and not answered yet
// and all that slcd keeps for a successor, by the same names.
#pragma once

#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/process.h"
#include "common/base/result.h"
#include "common/wire/link.h"

namespace slc {

// Of the daemon that rules, and of those that were started to become it.
struct DaemonStanding {
  Epoch epoch = 0;
  ProcessIdentity process;
  bool revive = true;
  std::vector<ProcessIdentity> children;
};

struct MasterStanding {
  link::Setup setup;
  DaemonStanding daemon;
  std::string version;  // of the image before
};

std::string EncodeStanding(const MasterStanding& standing);
Result<MasterStanding> DecodeStanding(const std::string& text);

}  // namespace slc
