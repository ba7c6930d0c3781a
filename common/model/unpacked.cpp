#include "common/model/unpacked.h"

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"

namespace slc {
namespace {

bool IsHex(const std::string& text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::string EncodeUnpacked(const Result<Unpacked>& outcome) {
  nlohmann::json line = nlohmann::json::object();
  if (outcome) {
    line["sha256"] = outcome->sha256;
    line["sha1"] = outcome->sha1;
    line["read"] = outcome->read;
    line["bytes"] = outcome->bytes;
    line["entries"] = outcome->entries;
    line["top"] = outcome->top;
  } else {
    line["error"] = ErrorCodeName(outcome.error().code);
    line["message"] = outcome.error().message;
  }
  return DumpJson(line) + "\n";
}

Result<Unpacked> DecodeUnpacked(const std::string& line) {
  const auto parsed = ParseJson(line);
  if (!parsed || !parsed->is_object()) {
    return Error{ErrorCode::kProtocol, "slc-unpack ended without telling what came of it"};
  }
  Unpacked unpacked;
  std::string code;
  std::string message;
  JsonFields fields(*parsed, "unpacked");
  fields.Read("error", code);
  fields.Read("message", message);
  if (code.empty()) {
    for (const char* key : {"sha256", "sha1", "read", "bytes", "entries", "top"}) {
      fields.Require(key);
    }
  }
  fields.Read("sha256", unpacked.sha256);
  fields.Read("sha1", unpacked.sha1);
  fields.Read("read", unpacked.read);
  fields.Read("bytes", unpacked.bytes);
  fields.Read("entries", unpacked.entries);
  fields.Read("top", unpacked.top);
  // A hash becomes the name of a folder.
  if (code.empty() && !IsHex(unpacked.sha256, 64)) fields.Fail("sha256", "64 hex digits");
  if (code.empty() && !IsHex(unpacked.sha1, 40)) fields.Fail("sha1", "40 hex digits");
  if (const Status status = fields.status(); !status) {
    return Error{ErrorCode::kProtocol, "slc-unpack told nothing usable: " + status.error().message};
  }
  if (!code.empty()) return Error{ErrorCodeFromName(code), message};
  return unpacked;
}

}  // namespace slc
