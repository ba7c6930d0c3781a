// Endpoint is a resolved address to connect to. Resolve blocks and is called before the run starts.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "tests/bench/load/options.h"

namespace slc::load {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};

// The first address that the resolver names for the url's host; nothing if there is none.
std::optional<Endpoint> Resolve(const Url& url);

}  // namespace slc::load
