// Sockets and files that slcd opens for its gateway, which may open nothing itself. All calls block
// on the disk but for the binding of TCP addresses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/model/gateway.h"

namespace slc {

// By what --listen said.
using GatewaySockets = std::map<std::string, UniqueFd>;

// Binds those of `listen` that are not in `bound`. Of a unix path 0600; the socket of nobody there
// is replaced, anything else is left alone. kConflict: somebody listens there already.
Result<GatewaySockets> BindForGateway(const std::vector<std::string>& listen,
                                      const std::vector<std::string>& bound);
// Nobody listens at `listen` any more: removes the file of a unix socket.
void UnlinkOfGateway(const std::string& listen);

// Certificate, key and client CA, as far as the wish has them, in this order.
Result<std::vector<UniqueFd>> OpenTlsFiles(const GatewayWish& wish);

}  // namespace slc
