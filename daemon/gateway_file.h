// GatewayFile: HOME/gateway.json, what is wanted of the gateway. Blocks on the disk.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/model/gateway.h"

namespace slc {

struct ReadGateway {
  GatewayWish wish;
  std::string damage;  // for people; empty: the file was sound
};

class GatewayFile {
 public:
  // `home`: the open directory; not owned.
  explicit GatewayFile(int home) : home_(home) {}

  // Nothing is wanted if there is no such file. A damaged one is set aside as gateway.json.bad, and
  // the one before takes its place, without its tokens and users: some may have been taken away
  // since. An error: the file cannot be read now.
  Result<ReadGateway> Read() const;
  // Durable when it returns without an error.
  Status Write(const GatewayWish& wish) const;

 private:
  Result<GatewayWish> Decode(const char* name) const;
  int home_;
};

}  // namespace slc
