#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "common/base/files.h"
#include "common/base/safe_place.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

constexpr mode_t kOthersWrite = 0022;
constexpr mode_t kOthersEnter = 0011;
constexpr mode_t kOthersAnything = 0077;

std::string Octal(mode_t mode) {
  std::string text;
  for (unsigned bits = mode & 0777U, i = 0; i < 3; ++i, bits >>= 3) {
    text.insert(text.begin(), static_cast<char>('0' + (bits & 7)));
  }
  return text;
}

std::vector<std::string> FoldersBelow(const HomePaths& paths) {
  return {paths.home + "/services", paths.home + "/logs", paths.run, paths.run + "/instances"};
}

// Whose what lies in the home is, if it is all one's; nothing if there is nothing.
std::optional<uid_t> OwnerBelow(const HomePaths& paths) {
  std::set<uid_t> owners;
  for (const std::string& folder : FoldersBelow(paths)) {
    struct stat info {};
    if (::lstat(folder.c_str(), &info) == 0) owners.insert(info.st_uid);
  }
  return owners.size() == 1 ? std::optional<uid_t>(*owners.begin()) : std::nullopt;
}

// What is wrong with the owner or mode of one folder; nothing if all is well.
std::optional<Finding> JudgeFolder(const std::string& path, uid_t owner) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return Wrong("home", path + ": " + std::strerror(errno), "let its owner look at it");
  }
  if (!S_ISDIR(info.st_mode)) {
    return Wrong("home", path + " is not a folder", "move it away, slcd makes its own");
  }
  if (info.st_uid != owner) {
    return Wrong("home",
                 path + " belongs to " + NameOfUser(info.st_uid) + ", the rest of the home to " +
                     NameOfUser(owner),
                 "chown " + NameOfUser(owner) + " " + path);
  }
  const std::string mode = " (mode " + Octal(info.st_mode) + ")";
  if ((info.st_mode & kOthersWrite) != 0) {
    return Wrong("home", "others may write in " + path + mode, "chmod 700 " + path);
  }
  if ((info.st_mode & kOthersAnything) != 0) {
    return Warn("home", "others may look into " + path + mode, "chmod 700 " + path);
  }
  return std::nullopt;
}

// Whoever writes a service's file decides what its owner runs.
Findings JudgeServiceFiles(const HomePaths& paths, uid_t owner) {
  const std::string folder = paths.home + "/services";
  struct stat home {};
  struct stat services {};
  if (::stat(paths.home.c_str(), &home) != 0 || ::stat(folder.c_str(), &services) != 0) return {};
  const bool reachable =
      (home.st_mode & kOthersEnter) != 0 && (services.st_mode & kOthersEnter) != 0;
  const UniqueFd open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open) return {};
  const auto names = ListDirectory(open.get());
  if (!names) return {};
  Findings findings;
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (info.st_uid != owner && info.st_uid != 0) {
      findings.push_back(Wrong("home",
                               path + " belongs to " + NameOfUser(info.st_uid) +
                                   ", who decides with it what " + NameOfUser(owner) + " runs",
                               "chown " + NameOfUser(owner) + " " + path));
    } else if ((info.st_mode & kOthersWrite) != 0) {
      const std::string text = "others may write " + path + " (mode " + Octal(info.st_mode) + ")";
      findings.push_back(
          reachable ? Wrong("home", text + ", and so decide what " + NameOfUser(owner) + " runs",
                            "see what it holds, then chmod 600 " + path)
                    : Warn("home", text + ", were its folder open to them", "chmod 600 " + path));
    }
  }
  return findings;
}

// By slcd's own judge, who looks with the eyes of the home's owner.
std::optional<Finding> JudgeWay(const HomePaths& paths, uid_t owner) {
  if (owner != ::geteuid()) return std::nullopt;
  for (const std::string& path : {paths.home, paths.run}) {
    const auto unsafe = FindUnsafePlace(path);
    if (!unsafe) continue;
    return Wrong("home", unsafe->why,
                 unsafe->what_to_do.empty() ? "let its owner look at it" : unsafe->what_to_do);
  }
  return std::nullopt;
}

}  // namespace

Findings CheckPlace(const Patient& patient) {
  struct stat home {};
  const std::string& path = patient.paths.home;
  if (::stat(path.c_str(), &home) != 0) {
    return {Wrong("home", path + ": " + std::strerror(errno), "let its owner look at it")};
  }
  Findings findings;
  const uid_t owner = OwnerBelow(patient.paths).value_or(home.st_uid);
  if (home.st_uid != owner) {
    findings.push_back(Wrong("home",
                             path + " belongs to " + NameOfUser(home.st_uid) +
                                 ", but what lies in it to " + NameOfUser(owner),
                             "chown " + NameOfUser(owner) + " " + path));
  } else if (owner != ::geteuid() && ::geteuid() != 0) {
    findings.push_back(Wrong("home", path + " belongs to " + NameOfUser(owner) + ", not to you",
                             "run this as that user"));
  }
  if (auto finding = JudgeFolder(path, home.st_uid)) findings.push_back(std::move(*finding));
  // What we may not enter cannot be judged.
  if (patient.closed.empty()) {
    for (const std::string& folder : FoldersBelow(patient.paths)) {
      if (auto finding = JudgeFolder(folder, owner)) findings.push_back(std::move(*finding));
    }
    for (Finding& finding : JudgeServiceFiles(patient.paths, owner)) {
      findings.push_back(std::move(finding));
    }
  }
  if (auto finding = JudgeWay(patient.paths, owner)) findings.push_back(std::move(*finding));
  if (findings.empty()) {
    findings.push_back(Good("home", path + ", of " + NameOfUser(home.st_uid) + ", private"));
  }
  return findings;
}

bool TakesSlcd(const Patient& patient) {
  struct statvfs room {};
  const bool read_only =
      ::statvfs(patient.paths.home.c_str(), &room) == 0 && (room.f_flag & ST_RDONLY) != 0;
  return !read_only && !AnyWrong(CheckPlace(patient));
}

}  // namespace slc::ctl
