// GatewayFile: HOME/gateway.json, what is wanted of the gateway. Blocks on the disk.
#pragma once

#include "common/base/result.h"
#include "common/model/gateway.h"

namespace slc {

class GatewayFile {
 public:
  // `home`: the open directory; not owned.
  explicit GatewayFile(int home) : home_(home) {}

  // Nothing is wanted if there is no such file. A damaged one is set aside as gateway.json.bad,
  // and the one before is used; without that an error, and the gateway stays off.
  Result<GatewayWish> Read() const;
  // Durable when it returns without an error.
  Status Write(const GatewayWish& wish) const;

 private:
  Result<GatewayWish> Decode(const char* name) const;
  int home_;
};

}  // namespace slc
