// New secrets for the gateway, made by slc-gateway: slc itself stays without cryptography.
#pragma once

#include <string>

#include "common/base/result.h"

namespace slc::ctl {

struct NewToken {
  std::string token;
  std::string hash;
};
Result<NewToken> MakeToken();
// What is kept of a password.
Result<std::string> HashPassword(const std::string& password);

}  // namespace slc::ctl
