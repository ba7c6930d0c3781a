#include "daemon/deploy/release_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <system_error>

#include "common/base/crc32c.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "daemon/deploy/core/releases.h"

namespace slc::deploy {
namespace {

constexpr const char* kReleases = "releases";
constexpr const char* kRepository = "git";

Error Storage(Error error) {
  error.code = ErrorCode::kStorage;
  return error;
}

bool IsThere(int directory, const std::string& name) {
  struct stat info {};
  return ::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

UniqueFd OpenFolderAt(int parent, const std::string& name) {
  return UniqueFd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// To be entered by those who know what is in it.
Status Share(int directory) {
  constexpr mode_t kEnter = S_IXGRP | S_IXOTH;
  struct stat info {};
  if (::fstat(directory, &info) != 0) return SystemError("look at the folder of releases", errno);
  const mode_t mode = info.st_mode & 07777;
  if ((mode & kEnter) == kEnter) return Ok();
  if (::fchmod(directory, mode | kEnter) != 0) {
    return SystemError("let the app's user enter the folder of releases", errno);
  }
  return Ok();
}

}  // namespace

std::string ReleaseStore::PathOf(ServiceId id, const std::string& release) const {
  return path_ + "/" + kReleases + "/" + std::to_string(id) + "/" + release;
}

std::string ReleaseStore::ReleaseIn(ServiceId id, const std::string& directory) const {
  const std::string prefix = PathOf(id, "");
  if (!StartsWith(directory, prefix)) return {};
  std::string name = directory.substr(prefix.size());
  return IsReleaseName(name) ? name : std::string();
}

std::string ReleaseStore::ReleaseHolding(ServiceId id, const std::string& path) const {
  std::error_code unknown;
  const std::string folder = PathOf(id, "");
  const std::string real = std::filesystem::weakly_canonical(folder, unknown).string() + "/";
  for (const std::string& prefix : {folder, real}) {
    if (!StartsWith(path, prefix)) continue;
    std::string name = path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size());
    if (IsReleaseName(name)) return name;
  }
  return {};
}

Release ReleaseStore::OfFolder(const std::string& folder) {
  std::array<char, 9> hash{};
  std::snprintf(hash.data(), hash.size(), "%08x", Crc32c(folder));
  Release release;
  release.hash = hash.data();
  release.name = release.hash;
  release.origin = ReleaseOrigin::kFolder;
  release.folder = folder;
  return release;
}

Result<UniqueFd> ReleaseStore::OpenFolder(ServiceId id, bool create, bool shared) const {
  auto releases = OpenPrivateDirectoryAt(home_, kReleases, create);
  if (!releases) return releases.error();
  auto folder = OpenPrivateDirectoryAt(releases->get(), std::to_string(id), create);
  if (!folder || !shared) return folder;
  for (const int each : {home_, releases->get(), folder->get()}) {
    if (Status entered = Share(each); !entered) return entered.error();
  }
  return folder;
}

std::vector<ServiceId> ReleaseStore::Services() const {
  std::vector<ServiceId> ids;
  const auto releases = OpenPrivateDirectoryAt(home_, kReleases, false);
  const auto names = releases ? ListDirectory(releases->get())
                              : Result<std::vector<std::string>>(std::vector<std::string>{});
  if (!names) return ids;
  for (const std::string& name : *names) {
    const auto id = ParseInteger(name, 1, std::numeric_limits<ServiceId>::max());
    if (id) ids.push_back(static_cast<ServiceId>(*id));
  }
  return ids;
}

Result<std::vector<Release>> ReleaseStore::List(ServiceId id) const {
  std::vector<Release> releases;
  const auto folder = OpenFolder(id, false, false);
  if (!folder) return releases;
  const auto names = ListDirectory(folder->get());
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name == kDeployFile || !EndsWith(name, ".json")) continue;
    const auto text = ReadFileAt(folder->get(), name);
    const auto release = text ? DecodeRelease(*text) : Result<Release>(text.error());
    if (release && RecordName(release->name) == name) releases.push_back(*release);
  }
  std::sort(releases.begin(), releases.end(),
            [](const Release& one, const Release& other) { return one.number > other.number; });
  return releases;
}

Result<UniqueFd> ReleaseStore::MakeStaging(ServiceId id, const std::string& request,
                                           const std::optional<RunAs>& user) const {
  const auto name = StagingName(request);
  if (!name) return name.error();
  const auto folder = OpenFolder(id, true, user.has_value());
  if (!folder) return Storage(folder.error());
  if (::mkdirat(folder->get(), name->c_str(), 0700) != 0) {
    return Storage(SystemError("make a folder for the upload", errno));
  }
  UniqueFd staging(
      ::openat(folder->get(), name->c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!staging) return Storage(SystemError("open the folder for the upload", errno));
  if (user && ::fchown(staging.get(), user->uid, user->gid) != 0) {
    return Storage(SystemError("give the folder for the upload to the app's user", errno));
  }
  return staging;
}

Status ReleaseStore::Name(ServiceId id, Release& release) const {
  const auto folder = OpenFolder(id, true, false);
  if (!folder) return Storage(folder.error());
  const auto names = ListDirectory(folder->get());
  if (!names) return names.error();
  const auto releases = List(id);
  if (!releases) return releases.error();
  if (release.origin != ReleaseOrigin::kFolder) release.name = FreeName(release.hash, *names);
  // The same folder once more is the same release.
  for (const Release& one : *releases) {
    if (one.name == release.name && one.origin == ReleaseOrigin::kFolder) {
      release.number = one.number;
      release.state = one.state;
      return Ok();
    }
  }
  release.number = NextNumber(*releases);
  return Ok();
}

Status ReleaseStore::Place(ServiceId id, const std::string& request, const Release& release) const {
  if (Status written = Write(id, release); !written) return written;
  const auto staging = StagingName(request);
  if (!staging) return staging.error();
  const auto folder = OpenFolder(id, false, false);
  if (!folder) return Storage(folder.error());
  if (::renameat(folder->get(), staging->c_str(), folder->get(), release.name.c_str()) != 0) {
    return Storage(SystemError("put the release " + release.name + " in its place", errno));
  }
  return Ok();
}

Status ReleaseStore::Write(ServiceId id, const Release& release) const {
  const auto folder = OpenFolder(id, true, false);
  if (!folder) return Storage(folder.error());
  const Status written =
      ReplaceFileAt(folder->get(), RecordName(release.name), EncodeRelease(release), false);
  return written ? written : Status(Storage(written.error()));
}

Status ReleaseStore::Sync(ServiceId id, const std::string& release) const {
  const auto folder = Open(id, release);
  if (!folder) return folder.error();
  if (::syncfs(folder->get()) != 0) {
    return Storage(SystemError("write release " + release + " to the disk", errno));
  }
  return Ok();
}

Result<UniqueFd> ReleaseStore::Open(ServiceId id, const std::string& release) const {
  const auto folder = OpenFolder(id, false, false);
  if (!folder) return folder.error();
  UniqueFd opened(
      ::openat(folder->get(), release.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) return SystemError("open release " + release, errno);
  return opened;
}

// What `git init --bare` would make of it, as far as git needs it.
Result<std::string> ReleaseStore::MakeRepository(ServiceId id,
                                                 const std::optional<RunAs>& user) const {
  const auto folder = OpenFolder(id, true, user.has_value());
  if (!folder) return Storage(folder.error());
  std::string path = PathOf(id, kRepository);
  if (IsThere(folder->get(), std::string(kRepository) + "/HEAD")) return path;
  // One that was not finished.
  if (Status removed = RemoveTreeAt(folder->get(), kRepository); !removed) return removed.error();
  const auto fail = [](const std::string& what) {
    return Storage(SystemError("make a repository to push to: " + what, errno));
  };
  const auto give = [&user](int parent, const std::string& name) {
    return !user ||
           ::fchownat(parent, name.c_str(), user->uid, user->gid, AT_SYMLINK_NOFOLLOW) == 0;
  };
  for (const char* name : {kRepository, "git/objects", "git/refs"}) {
    if (::mkdirat(folder->get(), name, 0700) != 0 || !give(folder->get(), name)) return fail(name);
  }
  const auto repository = OpenFolderAt(folder->get(), kRepository);
  if (!repository) return fail(kRepository);
  // HEAD comes last: it says that the rest is there.
  for (const auto& [name, text] :
       {std::pair{"config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"},
        std::pair{"HEAD", "ref: refs/heads/deploy\n"}}) {
    const UniqueFd file(::openat(repository.get(), name,
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return fail(name);
    if (Status written = WriteAll(file.get(), text); !written) return Storage(written.error());
    if (!give(repository.get(), name)) return fail(name);
  }
  return path;
}

Result<std::optional<DeployRecord>> ReleaseStore::ReadDeploy(ServiceId id) const {
  const auto folder = OpenFolder(id, false, false);
  if (!folder || !IsThere(folder->get(), kDeployFile)) return std::optional<DeployRecord>();
  const auto text = ReadFileAt(folder->get(), kDeployFile);
  if (!text) return text.error();
  auto record = DecodeDeployRecord(*text);
  if (!record) return record.error();
  return std::optional<DeployRecord>(std::move(*record));
}

Status ReleaseStore::WriteDeploy(ServiceId id, const DeployRecord& record) const {
  const auto folder = OpenFolder(id, true, false);
  if (!folder) return Storage(folder.error());
  const Status written =
      ReplaceFileAt(folder->get(), kDeployFile, EncodeDeployRecord(record), false);
  return written ? written : Status(Storage(written.error()));
}

Status ReleaseStore::ForgetDeploy(ServiceId id) const {
  const auto folder = OpenFolder(id, false, false);
  if (!folder) return Ok();
  return RemoveTreeAt(folder->get(), kDeployFile);
}

Status ReleaseStore::Remove(ServiceId id, const std::string& release,
                            const std::string& request) const {
  const auto folder = OpenFolder(id, false, false);
  if (!folder) return Ok();
  std::vector<std::string> names;
  if (const auto staging = StagingName(request)) names.push_back(*staging);
  // The record goes last: a release without one is known for what it is, too.
  if (IsReleaseName(release)) names.insert(names.end(), {release, RecordName(release)});
  for (const std::string& name : names) {
    if (Status removed = RemoveTreeAt(folder->get(), name); !removed) return removed;
  }
  return Ok();
}

Status ReleaseStore::RemoveLeftovers(ServiceId id, const std::vector<std::string>& in_use) const {
  const auto folder = OpenFolder(id, false, false);
  if (!folder) return Ok();
  auto names = ListDirectory(folder->get());
  if (!names) return names.error();
  auto releases = List(id);
  if (!releases) return releases.error();
  for (const std::string& name : Leftovers({*names, *releases, in_use})) {
    if (Status removed = RemoveTreeAt(folder->get(), name); !removed) return removed;
  }
  return Ok();
}

Status ReleaseStore::RemoveAll(ServiceId id) const {
  const auto releases = OpenPrivateDirectoryAt(home_, kReleases, false);
  if (!releases) return Ok();
  return RemoveTreeAt(releases->get(), std::to_string(id));
}

}  // namespace slc::deploy
