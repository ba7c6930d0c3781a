#include "common/base/result.h"

#include <array>
#include <cstring>

namespace slc {
namespace {

struct Name {
  ErrorCode code;
  const char* name;
};

constexpr std::array<Name, 13> kNames{{
    {ErrorCode::kInternal, "internal"},
    {ErrorCode::kSystem, "system"},
    {ErrorCode::kUsage, "usage"},
    {ErrorCode::kInvalid, "invalid"},
    {ErrorCode::kNotFound, "not_found"},
    {ErrorCode::kConflict, "conflict"},
    {ErrorCode::kUnreachable, "unreachable"},
    {ErrorCode::kTimeout, "timeout"},
    {ErrorCode::kNotReady, "not_ready"},
    {ErrorCode::kStorage, "storage"},
    {ErrorCode::kPermission, "permission"},
    {ErrorCode::kCancelled, "cancelled"},
    {ErrorCode::kProtocol, "protocol"},
}};

}  // namespace

const char* ErrorCodeName(ErrorCode code) {
  for (const Name& entry : kNames) {
    if (entry.code == code) return entry.name;
  }
  return "internal";
}

ErrorCode ErrorCodeFromName(const std::string& name) {
  for (const Name& entry : kNames) {
    if (name == entry.name) return entry.code;
  }
  return ErrorCode::kInternal;
}

Error SystemError(const std::string& what, int errno_value) {
  return Error{ErrorCode::kSystem, what + ": " + std::strerror(errno_value)};
}

}  // namespace slc
