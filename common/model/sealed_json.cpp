#include "common/model/sealed_json.h"

#include <nlohmann/json.hpp>

#include "common/base/crc32c.h"
#include "common/model/json_fields.h"

namespace slc {

using nlohmann::json;

namespace {

constexpr const char* kSchemaKey = "schema";
constexpr const char* kChecksumKey = "crc32c";

}  // namespace

json SealJson(const char* key, int schema, const json& content) {
  return json{{kSchemaKey, schema}, {kChecksumKey, Crc32c(DumpJson(content))}, {key, content}};
}

Result<json> UnsealJson(const std::string& text, const char* key, int schema) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error();
  int written = 0;
  std::uint32_t crc = 0;
  JsonFields fields(*parsed, "file");
  fields.Require(kSchemaKey);
  fields.Require(key);
  fields.Read(kSchemaKey, written);
  fields.Read(kChecksumKey, crc);
  if (Status good = fields.status(); !good) return good.error();
  if (written != schema) {
    return Error{written > schema ? ErrorCode::kProtocol : ErrorCode::kInvalid,
                 "it was written by another version of slc (schema " + std::to_string(written) +
                     ", this one reads " + std::to_string(schema) + ")"};
  }
  json& content = parsed->at(key);
  if (parsed->contains(kChecksumKey) && Crc32c(DumpJson(content)) != crc) {
    return Error{ErrorCode::kInvalid, "its checksum does not match its content"};
  }
  return std::move(content);
}

}  // namespace slc
