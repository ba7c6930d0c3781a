#include "ctl/build/work_copy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "ctl/build/tree.h"

namespace slc::ctl {
namespace {

constexpr const char* kPrefix = ".slc-build-";

// Who is not locked has no build any more: the lock goes with its process.
void RemoveLeftovers(const std::string& place) {
  const UniqueFd folder(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return;
  const auto names = ListDirectory(folder.get());
  if (!names) return;
  for (const std::string& name : *names) {
    if (!StartsWith(name, kPrefix)) continue;
    const UniqueFd left(
        ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!left || ::fstat(left.get(), &info) != 0 || info.st_uid != ::geteuid()) continue;
    if (::flock(left.get(), LOCK_EX | LOCK_NB) != 0) continue;
    static_cast<void>(RemoveTreeAt(folder.get(), name).ok());
  }
}

// The path and its lock; an empty path with errno set if it cannot be had.
std::pair<std::string, UniqueFd> MakeIn(const std::string& place) {
  RemoveLeftovers(place);
  while (true) {
    std::string path = place + "/" + kPrefix + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return {};
    UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Another build may have taken it for a leftover before it was locked.
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0 &&
        IsFileAt(lock.get(), AT_FDCWD, path)) {
      return {path, std::move(lock)};
    }
  }
}

Status CopyFile(const std::string& from, const TreeEntry& entry, const std::string& to) {
  const std::string path = to + "/" + entry.path;
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry.mode | 0200U));
  if (!file) return SystemError("write " + path, errno);
  Status copied =
      ReadEntry(from, entry, [&](std::string_view piece) { return WriteAll(file.get(), piece); });
  if (!copied) return copied.error().During(path);
  const timespec times[2] = {{entry.changed, 0}, {entry.changed, 0}};
  if (::fchmod(file.get(), entry.mode) != 0 || ::futimens(file.get(), times) != 0) {
    return SystemError("write " + path, errno);
  }
  return Ok();
}

Status CopyEntry(const std::string& from, const TreeEntry& entry, const std::string& to) {
  const std::string path = to + "/" + entry.path;
  switch (entry.kind) {
    case TreeEntry::Kind::kFile:
      return CopyFile(from, entry, to);
    case TreeEntry::Kind::kFolder:
      if (::mkdir(path.c_str(), entry.mode | 0700U) == 0) return Ok();
      break;
    case TreeEntry::Kind::kLink:
      if (::symlink(entry.target.c_str(), path.c_str()) == 0) return Ok();
      break;
  }
  return SystemError("write " + path, errno);
}

}  // namespace

Result<WorkCopy> WorkCopy::Make(const std::string& folder) {
  const std::size_t slash = folder.rfind('/');
  const std::string beside = slash == 0 ? "/" : folder.substr(0, slash);
  auto [path, lock] = MakeIn(beside);
  if (path.empty()) {
    const char* set = std::getenv("TMPDIR");
    const std::string place = set != nullptr && set[0] == '/' ? set : "/tmp";
    std::tie(path, lock) = MakeIn(place);
    if (path.empty()) {
      return SystemError("make a folder to build in, in " + beside + " or " + place, errno);
    }
  }
  return WorkCopy(std::move(path), std::move(lock));
}

WorkCopy::WorkCopy(WorkCopy&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

WorkCopy::~WorkCopy() {
  if (path_.empty()) return;
  const std::size_t slash = path_.rfind('/');
  const UniqueFd place(
      ::open(path_.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // What cannot be removed now is by the next build.
  static_cast<void>(RemoveTreeAt(place.get(), path_.substr(slash + 1)).ok());
}

Status WorkCopy::Fill(const std::string& folder) const {
  TreeRules rules;
  rules.skip = "node_modules";
  rules.litter = true;
  auto tree = ListTree(folder, rules);
  if (!tree) return tree.error();
  for (const TreeEntry& entry : tree->entries) {
    if (Status copied = CopyEntry(folder, entry, path_); !copied) return copied;
  }
  return Ok();
}

}  // namespace slc::ctl
