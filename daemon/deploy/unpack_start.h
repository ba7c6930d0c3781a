// How slcd has an upload unpacked: slc-unpack, with exactly the descriptors it needs.
//
// Who owns what:
//   archive   the reading end of a pipe or socket on which the archive comes, or a file. Whoever
//             holds the writing end (the gateway, git archive) meets EPIPE when it is refused
//             early; the reason stands in the report. Our own copy is to be closed after the start,
//             or slc-unpack never sees the end of what a dead sender has left undone
//   folder    releases/SERVICE/.staging-REQUEST, made by slcd, empty, and given to `user` (chown).
//             When slc-unpack has ended well it is renamed to the release's name, else removed
//   report    the writing end of a pipe, or a memfd; its one line is for DecodeUnpacked. Under
//             somebody else's uid what is told is not to be trusted further than an upload is
// How it ended is told by the pidfd and the wait status; the report counts only with exit code 0 or
// 1. Limits of a release are slc-unpack's own.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/spawn.h"

namespace slc::deploy {

struct UnpackOrder {
  std::string program;  // Installation::unpack()
  int archive = -1;
  int folder = -1;
  int report = -1;
  std::optional<RunAs> user;  // needs root; nothing: ours
  unsigned seconds = 0;       // for all of it, the upload included; 0: no limit
  std::string cookie;         // for KillByCookie, should slcd end on the way
};

Result<Spawned> LaunchUnpacker(const UnpackOrder& order);

}  // namespace slc::deploy
