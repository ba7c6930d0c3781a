// What the requests of /v1 may say beyond their path: each name means the same wherever it occurs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/result.h"
#include "common/http/target.h"

namespace slc::gateway {

// Its description and schema, as OpenAPI has them.
nlohmann::json DescribeParameter(const std::string& name);

// The first that is said and not known, in the query or in the body; a typo is not passed over.
std::optional<std::string> UnknownParameter(const http::Target& target,
                                            const std::vector<const char*>& query,
                                            const nlohmann::json& body,
                                            const std::vector<const char*>& members);

// "size" of a body, a number or a text; nothing if it is not there.
Result<std::optional<std::uint32_t>> SizeOf(const nlohmann::json& body);

}  // namespace slc::gateway
