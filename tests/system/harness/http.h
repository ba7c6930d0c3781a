// One HTTP request.
#pragma once

#include <map>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/base/time.h"

namespace slc::test {

struct Response {
  int status = 0;                              // 0: no answer, see error
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string error;
  nlohmann::json json() const;  // fails the test if the body is none
};
// One request on one connection (Connection: close). Only http.
Response Get(const std::string& url, Millis timeout = 10'000);

}  // namespace slc::test
