// ControlClient: the client's side of the control protocol, blocking. Used by slc, one per command.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/wire/frame_stream.h"
#include "common/wire/messages.h"

namespace slc {

class ControlClient {
 public:
  // `path` may be longer than a socket address holds: its directory is opened first. kUnreachable
  // when nobody listens there; kPermission when the system refuses; kTimeout when a daemon that
  // does not accept has so many waiting that there is no room for us.
  static Result<ControlClient> Connect(const std::string& path);

  // One that is connected already.
  static ControlClient Over(UniqueFd socket) { return ControlClient(std::move(socket)); }

  // kUnreachable when the daemon went away; kTimeout when it does not read.
  Status Send(const Request& request, std::vector<UniqueFd> fds = {});
  // The next message; nothing when `timeout` (ms, < 0: none) passed first. kUnreachable when the
  // daemon went away.
  Result<std::optional<ServerMessage>> Receive(Millis timeout);
  int fd() const { return stream_.fd(); }

 private:
  explicit ControlClient(UniqueFd socket) : stream_(std::move(socket)) {}
  FrameStream stream_;
};

}  // namespace slc
