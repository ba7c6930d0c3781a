#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>

#include "ctl/doctor/checks.h"
#include "ctl/status_tables.h"

namespace slc::ctl {
namespace {

constexpr std::int64_t kCifs = 0xff534d42;  // not in magic.h of every kernel
constexpr std::int64_t kNfs = 0x6969;

// What is set aside of a service is passed over as long as that has a record.
bool HasRecord(const Patient& patient, const std::string& file) {
  return std::any_of(patient.wishes.begin(), patient.wishes.end(), [&](const Wish& wish) {
    return file == std::to_string(wish.id) + ".json.bad";
  });
}

// Of a record that holds the version before; empty if it is sound.
std::string DamageOf(const Patient& patient, const Wish& wish) {
  if (const ServiceView* view = patient.ViewOf(wish.spec.name)) return view->damage;
  if (!wish.damage) return {};
  return "services/" + std::to_string(wish.id) + ".json of " + wish.spec.name +
         " was damaged; the version before is used, the last change may be lost";
}

Findings JudgeState(const Patient& patient) {
  if (!patient.closed.empty()) {
    return {Warn("state", "it cannot be told which services there are: " + patient.closed,
                 "run this as " + patient.Owner())};
  }
  Findings findings;
  for (const std::string& file : patient.unreadable) {
    if (HasRecord(patient, file)) {
      findings.push_back(Warn("state", "services/" + file + " is left of a damage that was mended",
                              "rm " + patient.paths.home + "/services/" + file));
      continue;
    }
    findings.push_back(Wrong("state", "services/" + file + " holds no service that can be read",
                             "`slc start` in the app's folder repairs it; `slc ctl status` tells "
                             "more"));
  }
  for (const Wish& wish : patient.wishes) {
    const std::string damage = DamageOf(patient, wish);
    if (damage.empty()) continue;
    findings.push_back(Wrong("state", damage, DamageCure(wish.spec.name)));
  }
  if (!findings.empty()) return findings;
  const std::size_t count = patient.wishes.size();
  if (count == 0) return {Good("state", "no services")};
  return {Good("state", count == 1 ? "1 service, readable"
                                   : std::to_string(count) + " services, all readable")};
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
  Findings findings = CheckPlace(patient);
  const std::string& home = patient.paths.home;
  struct statvfs room {};
  if (::statvfs(home.c_str(), &room) == 0) {
    findings.push_back(
        (room.f_flag & ST_RDONLY) != 0
            ? Wrong("disk", "the file system of " + home + " is read-only",
                    "remount it read-write: changes are refused and log lines dropped")
            : JudgeRoom(home,
                        Room{room.f_bavail * room.f_frsize, room.f_favail, room.f_files > 0}));
  }
  struct statfs system {};
  if (::statfs(home.c_str(), &system) == 0) {
    findings.push_back(JudgeFileSystem(home, static_cast<std::int64_t>(system.f_type)));
  }
  for (Finding& finding : JudgeState(patient)) findings.push_back(std::move(finding));
  if (!patient.past.trouble.empty()) {
    findings.push_back(Wrong("journal", patient.past.trouble,
                             "move it away, slcd begins another: until then nobody can tell later "
                             "what happened"));
  }
  return findings;
}

}  // namespace slc::ctl
