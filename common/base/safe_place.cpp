#include "common/base/safe_place.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "common/base/files.h"

namespace slc {
namespace {

// In a user namespace whoever is not mapped into it looks like this user, root of the machine too.
bool IsUnmapped(uid_t uid) {
  constexpr uid_t kOverflow = 65534;
  if (uid != kOverflow) return false;
  auto map = ReadFile("/proc/self/uid_map", 4096);
  return map && map->find("4294967295") == std::string::npos;
}

// Root's, or the group that a user is alone in, as Debian gives one to everybody.
bool IsTrusted(gid_t gid) {
  if (gid == 0) return true;
  if (gid != ::getegid()) return false;
  const group* entry = ::getgrgid(gid);
  if (entry == nullptr || (entry->gr_mem != nullptr && entry->gr_mem[0] != nullptr)) return false;
  const std::string name = entry->gr_name;
  const passwd* self = ::getpwuid(::geteuid());
  return self != nullptr && name == self->pw_name;
}

std::optional<UnsafePlace> CheckFolder(const std::string& folder, const std::string& path) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    const Error error = SystemError("stat " + folder, errno);
    return UnsafePlace{error.code, error.message, {}};
  }
  const auto refuse = [&](const std::string& why, const std::string& what_to_do) {
    return UnsafePlace{
        ErrorCode::kPermission,
        folder + " " + why + ": others could put something else in the place of " + path,
        what_to_do};
  };
  if (info.st_uid != ::geteuid() && info.st_uid != 0 && !IsUnmapped(info.st_uid)) {
    return refuse("belongs to uid " + std::to_string(info.st_uid), "use a place of your own");
  }
  if (S_ISLNK(info.st_mode) || (info.st_mode & S_ISVTX) != 0) return std::nullopt;
  const bool all = (info.st_mode & S_IWOTH) != 0;
  const bool group = (info.st_mode & S_IWGRP) != 0 && !IsTrusted(info.st_gid);
  if (!all && !group) return std::nullopt;
  return refuse(std::string("is writable by ") + (all ? "everybody" : "its group"),
                "run: chmod " + std::string(all ? "o-w " : "g-w ") + folder);
}

}  // namespace

std::optional<UnsafePlace> FindUnsafePlace(const std::string& path) {
  std::vector<std::string> ways{path};
  // Of what does not exist yet, the part that does.
  std::array<char, PATH_MAX> resolved{};
  std::string known = path;
  while (known.size() > 1 && ::realpath(known.c_str(), resolved.data()) == nullptr) {
    known.resize(std::max<std::size_t>(known.rfind('/'), 1));
  }
  // A name behind it, so that all of it counts as being above; an existing end is judged by itself.
  if (::realpath(known.c_str(), resolved.data()) != nullptr) {
    ways.push_back(std::string(resolved.data()) + (known == path ? "" : "/new"));
  }
  for (const std::string& way : ways) {
    for (std::size_t end = 0; end != std::string::npos; end = way.find('/', end + 1)) {
      const std::string folder = end == 0 ? "/" : way.substr(0, end);
      if (auto unsafe = CheckFolder(folder, path)) return unsafe;
    }
  }
  return std::nullopt;
}

Status CheckSafePlace(const std::string& path) {
  const auto unsafe = FindUnsafePlace(path);
  if (!unsafe) return Ok();
  const std::string cure = unsafe->what_to_do.empty() ? "" : "; " + unsafe->what_to_do;
  return Error{unsafe->code, unsafe->why + cure};
}

}  // namespace slc
