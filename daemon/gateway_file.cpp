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

Result<ReadGateway> GatewayFile::Read() const {
  const auto file = IdentifyFileAt(home_, kName);
  if (file && !*file) return ReadGateway{};
  auto wish = Decode(kName);
  if (wish) return ReadGateway{std::move(*wish), {}};
  if (wish.error().code == ErrorCode::kSystem) return wish.error();
  ReadGateway read;
  read.damage = "its file was damaged (" + wish.error().message + ") and is kept as " +
                std::string(kDamaged) +
                "; tokens and users are gone, for some may have been taken away since the version "
                "before: make them anew (slc token add NAME, slc gateway start --http-auth)";
  if (::renameat(home_, kName, home_, kDamaged) != 0) {
    log::Warn(SystemError(std::string("rename ") + kName, errno).message);
  }
  if (auto previous = Decode(kPrevious)) read.wish = std::move(*previous);
  read.wish.credentials.clear();
  if (Status good = CheckGateway(read.wish); !good) {
    read.wish.run = false;
    read.damage += "; it stays off meanwhile: " + good.error().message;
  }
  if (Status written = Write(read.wish); !written) log::Warn(written.error().message);
  return read;
}

Status GatewayFile::Write(const GatewayWish& wish) const {
  return ReplaceFileAt(home_, kName, DumpJsonPretty(ToJson(wish, Secrets::kShown)) + "\n", true);
}

}  // namespace slc
