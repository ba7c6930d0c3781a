#include "daemon/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/model/sealed_json.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kKey = "wish";
constexpr const char* kSuffix = ".json";
constexpr const char* kPrevious = ".prev";  // behind the suffix, as ReplaceFileAt has it
constexpr const char* kBad = ".bad";
constexpr const char* kDamaged = ".damaged";
constexpr const char* kRemoved = ".removed";
constexpr const char* kLastIdFile = "last-id";
constexpr const char* kLastRemovalFile = "last-removal";

std::string FileOf(ServiceId id) { return std::to_string(id) + kSuffix; }

// The id in "ID.json" and `behind`; nothing if `name` is not of that form.
std::optional<ServiceId> IdOf(std::string_view name, std::string_view behind) {
  const std::string end = kSuffix + std::string(behind);
  if (!EndsWith(name, end)) return std::nullopt;
  const auto number = ParseInteger(name.substr(0, name.size() - end.size()), 1, 0xffffffffLL);
  if (!number) return std::nullopt;
  return static_cast<ServiceId>(*number);
}

// A counter in a file; 0 if there is none yet.
std::uint32_t ReadNumber(int directory, const char* name) {
  auto text = ReadFileAt(directory, name, 64);
  if (!text) return 0;
  return static_cast<std::uint32_t>(ParseInteger(Trim(*text), 0, 0xffffffffLL).value_or(0));
}

// The value of `key` in a file that is no JSON any more, or not the one that was written. Empty
// unless the key stands there once: a guess would be worse than not to know.
std::string OnlyText(std::string_view text, const std::string& key) {
  const std::string start = '"' + key + "\": \"";
  const std::size_t at = text.find(start);
  if (at == std::string_view::npos || text.find(start, at + 1) != std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + start.size());
  const std::size_t end = rest.find_first_of("\"\\\n");
  if (end == std::string_view::npos || rest[end] != '"') return {};
  return std::string(rest.substr(0, end));
}

Quarantined Quarantine(ServiceId id, const std::string& file, const std::string& reason,
                       const std::string& text) {
  Quarantined bad;
  bad.id = id;
  bad.file = file;
  bad.reason = reason;
  const std::string name = OnlyText(text, "name");
  if (CheckServiceName(name)) bad.name = name;
  bad.directory = OnlyText(text, "directory");
  const std::string script = OnlyText(text, "script");
  if (!script.empty()) bad.command = {script};
  return bad;
}

}  // namespace

std::string Store::Encode(const Wish& wish) {
  return DumpJsonPretty(SealJson(kKey, kSchema, ToJson(wish)));
}

Result<Wish> Store::Decode(const std::string& text) {
  const auto content = UnsealJson(text, kKey, kSchema);
  if (!content) return content.error();
  Wish wish;
  if (Status read = FromJson(*content, wish); !read) return read.error();
  if (Status name = CheckServiceName(wish.spec.name); !name) return name.error();
  return wish;
}

Result<LoadedWishes> Store::Load() {
  auto names = ListDirectory(services_);
  if (!names) return names.error();
  LoadedWishes loaded;
  loaded.last_id = ReadNumber(services_, kLastIdFile);
  if (auto removal = ReadFileAt(services_, kLastRemovalFile, 256)) {
    loaded.last_removal = std::string(Trim(*removal));
  }
  std::set<ServiceId> ids;
  for (const std::string& name : *names) {
    // One that was set aside and has no successor is told again.
    for (const char* suffix : {"", kBad}) {
      if (const auto id = IdOf(name, suffix)) ids.insert(*id);
    }
  }
  for (const ServiceId id : ids) {
    loaded.last_id = std::max(loaded.last_id, id);
    if (Status done = LoadOne(id, loaded); !done) return done.error();
  }
  LoadReserved(loaded);
  return loaded;
}

void Store::LoadReserved(LoadedWishes& loaded) {
  for (const std::string& record : reserve_.Read()) {
    auto reserved = Decode(record);
    if (!reserved) continue;  // the crash came before it was answered
    for (Wish& wish : loaded.wishes) {
      // A service that is gone, or changed since, has no use for it.
      if (wish.id != reserved->id || wish.order >= reserved->order) continue;
      // Who asked for it knew nothing of a damage that is found now.
      const auto& found = loaded.fallen_back;
      if (std::find(found.begin(), found.end(), wish.id) != found.end()) {
        reserved->damage = wish.damage;
      }
      wish = std::move(*reserved);
      loaded.reserved.push_back(wish.id);
      break;
    }
  }
}

Status Store::LoadOne(ServiceId id, LoadedWishes& loaded) const {
  const std::string name = FileOf(id);
  const std::string bad = name + kBad;
  auto current = ReadOne(id, name);
  if (!current) return current.error();
  if (current->wish) {
    // What may be set aside beside it is of a damage that was mended.
    loaded.wishes.push_back(std::move(*current->wish));
    return Ok();
  }
  if (current->newer) {
    // It is whole, for the version that wrote it; what that one had before would be out of date.
    loaded.quarantined.push_back(Quarantine(id, name, current->damage, current->text));
    return Ok();
  }
  // On a disk that takes nothing it stays under its name.
  const bool aside =
      !current->there || ::renameat(services_, name.c_str(), services_, bad.c_str()) == 0;
  auto damaged = aside ? ReadOne(id, bad) : current;
  if (!damaged) return damaged.error();
  const std::string reason = damaged->wish ? "it was set aside before" : damaged->damage;
  auto previous = ReadOne(id, name + kPrevious);
  if (!previous) return previous.error();
  if (!previous->wish) {
    loaded.quarantined.push_back(Quarantine(id, aside ? bad : name, reason, damaged->text));
    return Ok();
  }
  previous->wish->damage = RecordDamage{reason, WallNow()};
  loaded.fallen_back.push_back(id);
  // On a disk that takes nothing the same is found at the next start.
  const Status saved = Save(*previous->wish);
  const std::string kept = saved ? DamagedFile(id) : bad;
  loaded.notes.push_back(name + " is damaged (" + reason + ")" +
                         (aside ? " and was set aside as " + kept : "") +
                         "; its previous version is used");
  if (!saved) loaded.notes.push_back(saved.error().message);
  loaded.wishes.push_back(std::move(*previous->wish));
  return Ok();
}

// A file that cannot be read now is not damaged: to go on without it would take its service down.
Result<Store::OneFile> Store::ReadOne(ServiceId id, const std::string& file) const {
  OneFile one;
  if (::faccessat(services_, file.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return one;
    return SystemError("look for services/" + file, errno);
  }
  one.there = true;
  auto text = ReadFileAt(services_, file);
  if (!text && text.error().code == ErrorCode::kSystem) {
    return text.error().During("services/" + file + " cannot be read");
  }
  auto wish = text ? Decode(*text) : Result<Wish>(text.error());
  if (!wish) {
    one.damage = wish.error().message;
    one.newer = wish.error().code == ErrorCode::kProtocol;
    if (text) one.text = *text;
  } else if (wish->id != id) {
    one.damage = "it names another service";
  } else {
    one.wish = std::move(*wish);
  }
  return one;
}

// Who is answered with it wants to know what to do.
Error Store::StorageError(const Error& reason, const std::string& what) const {
  Error error = reason.During(what);
  error.code = ErrorCode::kStorage;
  if (const std::string room = DescribeRoom(services_); !room.empty()) error.message += "; " + room;
  return error;
}

Status Store::Save(const Wish& wish) const {
  const std::string name = FileOf(wish.id);
  Status saved = ReplaceFileAt(services_, name, Encode(wish), true);
  if (!saved) return StorageError(saved.error(), "record the change in services/" + name);
  // Nothing hangs on it: left under its name it is passed over by Load, and told by doctor.
  ::renameat(services_, (name + kBad).c_str(), services_, DamagedFile(wish.id).c_str());
  return saved;
}

std::string Store::DamagedFile(ServiceId id) { return FileOf(id) + kDamaged; }

bool Store::HasDamagedFile(ServiceId id) const {
  return ::faccessat(services_, DamagedFile(id).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Status Store::SaveInReserve(const Wish& wish) {
  // On one line.
  Status saved = reserve_.Append(DumpJson(SealJson(kKey, kSchema, ToJson(wish))));
  if (saved) return saved;
  return StorageError(saved.error(), "record the change in services");
}

Status Store::Discard(ServiceId id) const {
  const std::string name = FileOf(id);
  for (const std::string& file : {name + kPrevious, name}) {
    if (::unlinkat(services_, file.c_str(), 0) != 0 && errno != ENOENT) {
      return StorageError(SystemError("remove services/" + file, errno), "take a change back");
    }
  }
  if (::fsync(services_) == 0) return Ok();
  return StorageError(SystemError("fsync services", errno), "take a change back");
}

Status Store::Try() const {
  constexpr const char* kTrial = "trial";
  constexpr std::size_t kBytes = 4096;  // a block of its own
  Status written = ReplaceFileAt(services_, kTrial, std::string(kBytes, '\n'), false);
  if (::unlinkat(services_, kTrial, 0) != 0 && errno != ENOENT && written) {
    written = SystemError("remove services/trial", errno);
  }
  if (written) return written;
  return StorageError(written.error(), "try the disk in services");
}

Status Store::RememberRemoval(ServiceId id, const std::string& request) const {
  if (Status kept = ReplaceFileAt(services_, kLastRemovalFile, request + "\n", false); !kept) {
    return StorageError(kept.error(), "record the removal");
  }
  // Ids are never used again: the highest one outlives its service.
  if (ReadNumber(services_, kLastIdFile) < id) {
    Status kept = ReplaceFileAt(services_, kLastIdFile, std::to_string(id) + "\n", false);
    if (!kept) return StorageError(kept.error(), "record the last id");
  }
  return Ok();
}

Status Store::Remove(ServiceId id, const std::string& request) const {
  if (Status kept = RememberRemoval(id, request); !kept) return kept;
  // The file itself last: without it the others mean nothing.
  const std::string name = FileOf(id);
  for (const std::string& file : {name + kPrevious, name + kBad, DamagedFile(id), name}) {
    if (::unlinkat(services_, file.c_str(), 0) != 0 && errno != ENOENT) {
      return StorageError(SystemError("remove services/" + file, errno), "remove the service");
    }
  }
  if (::fsync(services_) == 0) return Ok();
  return StorageError(SystemError("fsync services", errno), "remove the service");
}

std::string Store::RemovedFile(ServiceId id) { return FileOf(id) + kRemoved; }

Status Store::RemoveQuarantined(ServiceId id, const std::string& request) const {
  if (Status kept = RememberRemoval(id, request); !kept) return kept;
  const std::string name = FileOf(id);
  const std::string previous = name + kPrevious;
  if (::unlinkat(services_, previous.c_str(), 0) != 0 && errno != ENOENT) {
    return StorageError(SystemError("remove services/" + previous, errno), "remove the service");
  }
  const std::string removed = RemovedFile(id);
  // Under its own name if it could not be set aside.
  for (const std::string& file : {name, name + kBad}) {
    if (::renameat(services_, file.c_str(), services_, removed.c_str()) != 0 && errno != ENOENT) {
      return StorageError(SystemError("rename services/" + file, errno), "remove the service");
    }
  }
  if (::fsync(services_) == 0) return Ok();
  return StorageError(SystemError("fsync services", errno), "remove the service");
}

}  // namespace slc
