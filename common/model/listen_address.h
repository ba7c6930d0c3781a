// Where a service is to listen, as --listen tells it: the master binds it, and workers get the
// socket.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace slc {

struct ListenAddress {
  std::string name;     // in LISTEN_FDNAMES; empty: that of the service
  std::string path;     // of a unix socket; empty: TCP
  std::string address;  // numeric; empty: any, of both families if there are
  int port = 0;         // 1..65535
  int family = 4;       // of `address`

  bool operator==(const ListenAddress&) const = default;
};

// [NAME=]PORT, [NAME=]ADDR:PORT with ADDR numeric ("[::1]:80" for IPv6; "*" for any), or
// [NAME=]/PATH, [NAME=]unix:PATH (then it may be relative). A name is 1 to 64 of A-Z a-z 0-9 . _ -
// kInvalid with a message that shows the forms.
Result<ListenAddress> ParseListenAddress(const std::string& text);

// Each can be read, none is there twice, and there are not too many.
Status CheckListenAddresses(const std::vector<std::string>& texts);

}  // namespace slc
