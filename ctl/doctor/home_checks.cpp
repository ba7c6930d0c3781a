#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/spawn.h"
#include "common/base/text.h"
#include "ctl/doctor/checks.h"

namespace slc::ctl {
namespace {

constexpr std::int64_t kCifs = 0xff534d42;  // not in magic.h of every kernel
constexpr std::int64_t kNfs = 0x6969;

std::string NameOf(uid_t uid) {
  const std::string name = LookUpUser(uid).name;
  return name.empty() ? "uid " + std::to_string(uid) : name;
}

std::string Octal(mode_t mode) {
  std::string text;
  for (unsigned bits = mode & 0777U, i = 0; i < 3; ++i, bits >>= 3) {
    text.insert(text.begin(), static_cast<char>('0' + (bits & 7)));
  }
  return text;
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
                 path + " belongs to " + NameOf(info.st_uid) + ", the home to " + NameOf(owner),
                 "chown " + NameOf(owner) + " " + path);
  }
  if ((info.st_mode & 0077) != 0) {
    const Finding finding =
        (info.st_mode & 0022) != 0
            ? Wrong("home", "others may write in " + path + " (mode " + Octal(info.st_mode) + ")",
                    "chmod 700 " + path)
            : Warn("home", "others may look into " + path + " (mode " + Octal(info.st_mode) + ")",
                   "chmod 700 " + path);
    return finding;
  }
  return std::nullopt;
}

Findings JudgeFolders(const Patient& patient) {
  struct stat home {};
  const std::string& path = patient.paths.home;
  if (::stat(path.c_str(), &home) != 0) {
    return {Wrong("home", path + ": " + std::strerror(errno), "let its owner look at it")};
  }
  Findings findings;
  if (home.st_uid != ::geteuid() && ::geteuid() != 0) {
    findings.push_back(Wrong("home", path + " belongs to " + NameOf(home.st_uid) + ", not to you",
                             "run this as that user"));
  }
  for (const std::string& folder : {path, path + "/services", path + "/logs", patient.paths.run,
                                    patient.paths.run + "/instances"}) {
    if (auto finding = JudgeFolder(folder, home.st_uid)) findings.push_back(std::move(*finding));
  }
  if (findings.empty()) {
    findings.push_back(Good("home", path + ", of " + NameOf(home.st_uid) + ", private"));
  }
  return findings;
}

Findings JudgeFiles(const Patient& patient) {
  Findings findings;
  for (const std::string& file : patient.unreadable) {
    findings.push_back(Wrong("state", "services/" + file + " holds no service that can be read",
                             "`slc start` in the app's folder repairs it; `slc ctl status` tells "
                             "more"));
  }
  if (findings.empty()) {
    findings.push_back(
        Good("state", std::to_string(patient.wishes.size()) + " services, all readable"));
  }
  return findings;
}

}  // namespace

Finding JudgeRoom(const std::string& home, const Room& room) {
  // A change needs a few KB; logs need what they are allowed, 100 MB a service by default.
  constexpr std::uint64_t kLittle = 200U << 20;
  constexpr std::uint64_t kFew = 1000;
  const std::string free = std::to_string(room.bytes >> 20) + " MB free";
  if (room.bytes == 0) {
    return Wrong("disk", "the file system of " + home + " is full",
                 "free some space: changes are refused and log lines dropped");
  }
  if (room.counts_files && room.files == 0) {
    return Wrong("disk", "the file system of " + home + " has no inode left",
                 "remove some files: changes are refused and log lines dropped");
  }
  if (room.bytes < kLittle) return Warn("disk", "only " + free, "free some space");
  if (room.counts_files && room.files < kFew) {
    return Warn("disk", "only " + std::to_string(room.files) + " inodes free", "remove some files");
  }
  return Good("disk", free);
}

Finding JudgeFileSystem(const std::string& home, std::int64_t type) {
  switch (type) {
    case kNfs:
    case kCifs:
    case SMB2_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case V9FS_MAGIC:
      return Warn("file system", home + " is on a network",
                  "a server that hangs delays every change; SLC_HOME may name a local folder");
    case OVERLAYFS_SUPER_MAGIC:
      return Warn("file system", home + " is on an overlay, as in a container",
                  "what is wanted goes with the container; mount a volume there");
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
      return Warn("file system", home + " is in memory",
                  "what is wanted is lost at reboot; SLC_HOME may name a folder on a disk");
    default:
      return Good("file system", "local");
  }
}

Findings CheckHome(const Patient& patient) {
  if (!patient.exists) {
    return {Good("home", patient.paths.home + " does not exist yet, `slc start` makes it")};
  }
  Findings findings = JudgeFolders(patient);
  const std::string& home = patient.paths.home;
  struct statvfs room {};
  if (::statvfs(home.c_str(), &room) == 0) {
    findings.push_back(
        JudgeRoom(home, Room{room.f_bavail * room.f_frsize, room.f_favail, room.f_files > 0}));
  }
  struct statfs system {};
  if (::statfs(home.c_str(), &system) == 0) {
    findings.push_back(JudgeFileSystem(home, static_cast<std::int64_t>(system.f_type)));
  }
  for (Finding& finding : JudgeFiles(patient)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace slc::ctl
