// A record as it stands in a file of its own: {"schema": N, "crc32c": N, KEY: content}. The schema
// tells which version of slc wrote it, the checksum what a disk has damaged.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/base/result.h"

namespace slc {

nlohmann::json SealJson(const char* key, int schema, const nlohmann::json& content);
// The content. kInvalid for what is damaged, kProtocol for a higher schema. One without a checksum
// is taken as it is: who edits the file by hand removes it.
Result<nlohmann::json> UnsealJson(const std::string& text, const char* key, int schema);

}  // namespace slc
