// Connecting to a server, blocking but for a time limit. What comes back is a close-on-exec stream
// socket that does not block.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc::http {

// Tries the addresses of `host` one after the other, each for its share of `limit` (ms; looking the
// name up is not counted). kUnreachable, with the reason of the last; kTimeout if that was one.
Result<UniqueFd> ConnectTcp(const std::string& host, std::uint16_t port, Millis limit);

// `path` may be longer than a socket address holds. kUnreachable when nobody listens there,
// kPermission when the system refuses.
Result<UniqueFd> ConnectUnix(const std::string& path);

}  // namespace slc::http
