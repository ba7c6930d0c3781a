#include "daemon/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/base/crc32c.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kSuffix = ".json";
constexpr const char* kEpochFile = "epoch";

}  // namespace

std::string Store::Encode(const Wish& wish) {
  const json content = ToJson(wish);
  return DumpJsonPretty(
      json{{"schema", kSchema}, {"crc32c", Crc32c(DumpJson(content))}, {"wish", content}});
}

Result<Wish> Store::Decode(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error();
  int schema = 0;
  std::uint32_t crc = 0;
  JsonFields fields(*parsed, "file");
  fields.Require("schema");
  fields.Require("wish");
  fields.Read("schema", schema);
  fields.Read("crc32c", crc);
  if (Status good = fields.status(); !good) return good.error();
  if (schema != kSchema) {
    return Error{ErrorCode::kInvalid, "it was written by another version of slc (schema " +
                                          std::to_string(schema) + ", this one reads " +
                                          std::to_string(kSchema) + ")"};
  }
  const json& content = parsed->at("wish");
  // Whoever edits the file by hand removes the checksum.
  if (parsed->contains("crc32c") && Crc32c(DumpJson(content)) != crc) {
    return Error{ErrorCode::kInvalid, "its checksum does not match its content"};
  }
  Wish wish;
  if (Status read = FromJson(content, wish); !read) return read.error();
  if (Status name = CheckServiceName(wish.spec.name); !name) return name.error();
  return wish;
}

Result<LoadedWishes> Store::Load() const {
  auto names = ListDirectory(services_);
  if (!names) return names.error();
  LoadedWishes loaded;
  for (const std::string& name : *names) {
    if (!EndsWith(name, kSuffix)) continue;
    const auto number = ParseInteger(
        std::string_view(name).substr(0, name.size() - std::string_view(kSuffix).size()), 1,
        0xffffffffLL);
    if (!number) continue;
    const auto id = static_cast<ServiceId>(*number);
    const auto read = [&](const std::string& file) -> Result<Wish> {
      auto text = ReadFileAt(services_, file);
      if (!text) return text.error();
      auto wish = Decode(*text);
      if (wish && wish->id != id) return Error{ErrorCode::kInvalid, "it names another service"};
      return wish;
    };
    auto wish = read(name);
    if (wish) {
      loaded.wishes.push_back(std::move(*wish));
      continue;
    }
    const std::string bad = name + ".bad";
    ::renameat(services_, name.c_str(), services_, bad.c_str());
    auto previous = read(name + ".prev");
    if (previous) {
      loaded.notes.push_back(name + " is damaged (" + wish.error().message +
                             ") and was set aside as " + bad + "; its previous version is used");
      if (Status saved = Save(*previous); !saved) return saved.error();
      loaded.wishes.push_back(std::move(*previous));
      continue;
    }
    loaded.quarantined.push_back(Quarantined{id, bad, wish.error().message});
  }
  return loaded;
}

Status Store::Save(const Wish& wish) const {
  const std::string name = std::to_string(wish.id) + kSuffix;
  Status saved = ReplaceFileAt(services_, name, Encode(wish), true);
  if (saved) return saved;
  Error error = saved.error().During("record the change in services/" + name);
  error.code = ErrorCode::kStorage;
  return error;
}

Status Store::Remove(ServiceId id) const {
  const std::string name = std::to_string(id) + kSuffix;
  for (const std::string& file : {name, name + ".prev"}) {
    if (::unlinkat(services_, file.c_str(), 0) != 0 && errno != ENOENT) {
      return SystemError("remove services/" + file, errno);
    }
  }
  if (::fsync(services_) != 0) return SystemError("fsync services", errno);
  return Ok();
}

Result<Epoch> RaiseEpoch(int directory) {
  Epoch epoch = 0;
  auto text = ReadFileAt(directory, kEpochFile, 64);
  if (text) {
    epoch = static_cast<Epoch>(ParseInteger(Trim(*text), 0, 1LL << 40).value_or(0));
  }
  ++epoch;
  Status saved = ReplaceFileAt(directory, kEpochFile, std::to_string(epoch) + "\n", false);
  if (!saved) return saved.error().During("raise the daemon's epoch");
  return epoch;
}

}  // namespace slc
