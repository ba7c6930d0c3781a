#include "daemon/gateway_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

constexpr const char* kName = "gateway.json";
constexpr const char* kPrevious = "gateway.json.prev";
constexpr const char* kDamaged = "gateway.json.bad";
constexpr std::size_t kMostBytes = 1U << 20;

}  // namespace

Result<GatewayWish> GatewayFile::Decode(const char* name) const {
  auto text = ReadFileAt(home_, name, kMostBytes);
  if (!text) return text.error();
  auto parsed = ParseJson(*text);
  if (!parsed) return parsed.error().During(name);
  GatewayWish wish;
  if (Status good = FromJson(*parsed, wish); !good) return good.error().During(name);
  return wish;
}

Result<GatewayWish> GatewayFile::Read() const {
  const auto file = IdentifyFileAt(home_, kName);
  if (file && !*file) return GatewayWish{};
  auto wish = Decode(kName);
  if (wish || wish.error().code == ErrorCode::kSystem) return wish;
  log::Failure(wish.error().message + "; the file is kept as " + kDamaged);
  if (::renameat(home_, kName, home_, kDamaged) != 0) {
    log::Warn(SystemError(std::string("rename ") + kName, errno).message);
  }
  return Decode(kPrevious);
}

Status GatewayFile::Write(const GatewayWish& wish) const {
  return ReplaceFileAt(home_, kName, DumpJsonPretty(ToJson(wish, Secrets::kShown)) + "\n", true);
}

}  // namespace slc
