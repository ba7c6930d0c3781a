// RequestGuard: keeps out what a web page in somebody's browser sends here behind his back.
//
// A page of another site can have his browser send requests to this machine, and by a DNS name of
// its own that leads here (DNS rebinding) it could read the answers. So a request over TCP has to
// name us in Host by an address, as "localhost" or by one of our names; and one that comes from a
// page (it has an Origin) has to come from a page of ours if it may change something or streams.
// Clients that are no browsers send no Origin.
//
// Pure.
#pragma once

#include <string>
#include <vector>

#include "common/http/request_head.h"

namespace slc::gateway {

class RequestGuard {
 public:
  // `names`: of this machine, in lower case, beside "localhost".
  explicit RequestGuard(std::vector<std::string> names) : names_(std::move(names)) {}

  // Why it is refused (403), for people; empty: it is not. `tls`: it came over TLS; `local`: over a
  // unix socket, which no page can reach. `streams`: its answer is followed.
  std::string Refusal(const http::RequestHead& head, bool tls, bool local, bool streams) const;

 private:
  bool IsOurs(const std::string& host) const;

  std::vector<std::string> names_;
};

}  // namespace slc::gateway
