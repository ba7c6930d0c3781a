#include "daemon/profiles/profile_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "common/model/sealed_json.h"

namespace slc::profiles {
namespace {

constexpr const char* kProfiles = "profiles";
constexpr const char* kLast = "last.json";
constexpr const char* kLastKey = "profiles";
constexpr int kLastSchema = 1;

Error Storage(Error error) {
  error.code = ErrorCode::kStorage;
  return error;
}

Result<ProfileId> ReadLast(const UniqueFd& shelf) {
  const auto text = ReadFileAt(shelf.get(), kLast);
  if (!text) return text.error();
  const auto content = UnsealJson(*text, kLastKey, kLastSchema);
  if (!content) return content.error();
  ProfileId last = 0;
  JsonFields fields(*content, kLast);
  fields.Require("last");
  fields.Read("last", last);
  if (Status good = fields.status(); !good) return good.error();
  return last;
}

Status WriteRecord(const UniqueFd& folder, const Profile& profile) {
  const Status written =
      ReplaceFileAt(folder.get(), RecordName(profile.id), EncodeProfile(profile), false);
  return written ? written
                 : Status(Storage(written.error().During("the record of profile " +
                                                         std::to_string(profile.id))));
}

}  // namespace

Result<UniqueFd> ProfileStore::OpenShelf(bool create) const {
  return OpenPrivateDirectoryAt(home_, kProfiles, create);
}

Result<UniqueFd> ProfileStore::OpenFolder(ServiceId service, bool create) const {
  const auto shelf = OpenShelf(create);
  if (!shelf) return shelf.error();
  return OpenPrivateDirectoryAt(shelf->get(), std::to_string(service), create);
}

std::vector<ServiceId> ProfileStore::Services() const {
  std::vector<ServiceId> ids;
  const auto shelf = OpenShelf(false);
  const auto names = shelf ? ListDirectory(shelf->get())
                           : Result<std::vector<std::string>>(std::vector<std::string>{});
  if (!names) return ids;
  for (const std::string& name : *names) {
    const auto id = ParseInteger(name, 1, std::numeric_limits<ServiceId>::max());
    if (id) ids.push_back(static_cast<ServiceId>(*id));
  }
  return ids;
}

Result<ShelfFolder> ProfileStore::ReadFolder(const UniqueFd& folder, ServiceId service) {
  auto names = ListDirectory(folder.get());
  if (!names) return names.error();
  ShelfFolder found;
  found.names = std::move(*names);
  for (const std::string& name : found.names) {
    const ProfileId id = HighestId({name});
    if (id == 0 || name != RecordName(id)) continue;
    const auto text = ReadFileAt(folder.get(), name);
    auto profile = text ? DecodeProfile(*text) : Result<Profile>(text.error());
    if (profile && profile->id == id && profile->service == service) {
      found.profiles.push_back(std::move(*profile));
    } else if (!profile && profile.error().code != ErrorCode::kInvalid) {
      // Also one that cannot be read now is there.
      found.foreign.push_back(id);
    }
  }
  std::sort(found.profiles.begin(), found.profiles.end(),
            [](const Profile& one, const Profile& other) { return one.id < other.id; });
  return found;
}

Result<ProfileList> ProfileStore::List(ServiceId service) const {
  ProfileList profiles;
  for (const ServiceId id : service != 0 ? std::vector<ServiceId>{service} : Services()) {
    const auto folder = OpenFolder(id, false);
    if (!folder) continue;
    auto found = ReadFolder(*folder, id);
    if (!found) return found.error();
    profiles.insert(profiles.end(), found->profiles.begin(), found->profiles.end());
  }
  std::sort(profiles.begin(), profiles.end(),
            [](const Profile& one, const Profile& other) { return one.id < other.id; });
  return profiles;
}

// Durable before it is used: it is not given again, whatever happens to the profile.
Result<ProfileId> ProfileStore::NextId() const {
  const auto shelf = OpenShelf(true);
  if (!shelf) return Storage(shelf.error());
  ProfileId last = 0;
  if (const auto read = ReadLast(*shelf)) {
    last = *read;
  } else if (read.error().code == ErrorCode::kProtocol) {
    return read.error().During("profiles/last.json");
  } else {
    // It is new, or damaged: then those that there are tell.
    for (const ServiceId id : Services()) {
      const auto folder = OpenFolder(id, false);
      const auto names =
          folder ? ListDirectory(folder->get()) : Result<std::vector<std::string>>(folder.error());
      if (names) last = std::max(last, HighestId(*names));
    }
  }
  if (last == std::numeric_limits<ProfileId>::max()) {
    return Error{ErrorCode::kConflict, "there are no more numbers for profiles"};
  }
  ++last;
  const nlohmann::json content{{"last", last}};
  const Status written = ReplaceFileAt(
      shelf->get(), kLast, DumpJsonPretty(SealJson(kLastKey, kLastSchema, content)), false);
  if (!written) return Storage(written.error().During("profiles/last.json"));
  return last;
}

Result<Profile> ProfileStore::Reserve(Profile draft) const {
  if (!draft.request.empty()) {
    const auto before = List(draft.service);
    if (!before) return before.error();
    for (const Profile& profile : *before) {
      if (profile.request == draft.request) return profile;
    }
  }
  const auto id = NextId();
  if (!id) return id.error();
  draft.id = *id;
  const auto folder = OpenFolder(draft.service, true);
  if (!folder) return Storage(folder.error());
  if (Status written = WriteRecord(*folder, draft); !written) return written.error();
  return draft;
}

Result<UniqueFd> ProfileStore::MakePart(const Profile& profile) const {
  const auto folder = OpenFolder(profile.service, false);
  if (!folder) return Storage(folder.error());
  UniqueFd file(::openat(folder->get(), PartName(profile).c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return Storage(SystemError("make the file of the profile", errno));
  return file;
}

Status ProfileStore::Place(const Profile& profile) const {
  const auto folder = OpenFolder(profile.service, false);
  if (!folder) return Storage(folder.error());
  if (::renameat(folder->get(), PartName(profile).c_str(), folder->get(),
                 FileNameOf(profile).c_str()) != 0) {
    return Storage(SystemError("put the profile in its place", errno));
  }
  // This brings the new name to the disk, too.
  return WriteRecord(*folder, profile);
}

Status ProfileStore::Fail(const Profile& profile) const {
  const auto folder = OpenFolder(profile.service, false);
  if (!folder) return Storage(folder.error());
  // First: the record may need the room.
  for (const std::string& name : {PartName(profile), FileNameOf(profile)}) {
    if (Status removed = RemoveTreeAt(folder->get(), name); !removed) return removed;
  }
  return WriteRecord(*folder, profile);
}

Result<UniqueFd> ProfileStore::Open(const Profile& profile) const {
  const auto folder = OpenFolder(profile.service, false);
  if (!folder) return folder.error();
  UniqueFd file(::openat(folder->get(), FileNameOf(profile).c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return SystemError("open the file of profile " + std::to_string(profile.id), errno);
  return file;
}

Status ProfileStore::Remove(const Profile& profile) const {
  const auto folder = OpenFolder(profile.service, false);
  if (!folder) return Ok();
  // The record goes last: a file without one is known for what it is, too.
  for (const std::string& name : {PartName(profile), FileNameOf(profile), RecordName(profile.id)}) {
    if (Status removed = RemoveTreeAt(folder->get(), name); !removed) return removed;
  }
  return Ok();
}

Status ProfileStore::RemoveAll(ServiceId service) const {
  const auto shelf = OpenShelf(false);
  if (!shelf) return Ok();
  return RemoveTreeAt(shelf->get(), std::to_string(service));
}

Status ProfileStore::RemoveLeftovers(ServiceId service) const {
  const auto folder = OpenFolder(service, false);
  if (!folder) return Ok();
  const auto found = ReadFolder(*folder, service);
  if (!found) return found.error();
  for (const std::string& name : Leftovers(*found)) {
    log::Warn("profiles/" + std::to_string(service) + "/" + name +
              " belongs to no profile that is whole; it is removed");
    if (Status removed = RemoveTreeAt(folder->get(), name); !removed) return removed;
  }
  return Ok();
}

}  // namespace slc::profiles
