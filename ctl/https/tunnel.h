// Tunnel: TLS between two sockets. What comes in plain on one goes out sealed on the other, and the
// other way round, until either side is done.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/http/tls.h"

namespace slc::ctl {

class Tunnel {
 public:
  // `sealed` leads to the server, whose certificate has to be made for `host`.
  Tunnel(UniqueFd plain, UniqueFd sealed, const http::TlsContext& context, const std::string& host);

  // Blocks. An error: the server could not be trusted, or broke the protocol.
  Status Run();

 private:
  // What waits to be written to a socket, and whether anything follows.
  struct Side {
    UniqueFd socket;
    std::string unsent;
    bool ended = false;  // nothing comes from it any more
  };

  Status TakePlain();
  Status TakeSealed();
  static bool Flush(Side& side);
  // Reads once; empty if nothing came. Sets `ended`.
  static std::string_view Read(Side& side, std::string& buffer);

  Side plain_;
  Side sealed_;
  http::TlsSession session_;
};

}  // namespace slc::ctl
