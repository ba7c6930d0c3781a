#include "common/base/sandbox.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "common/base/unique_fd.h"

namespace slc {
namespace {

// What the first version knows; a kernel refuses what it does not know.
constexpr std::uint64_t kAllRights =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;
// Of the third, which Debian 12's header does not know: truncate(2) by a path.
constexpr std::uint64_t kTruncate = 1U << 14;

// Everything, but for `allowed` below `folder` (-1: nothing is).
Result<bool> Restrict(int folder, std::uint64_t allowed) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) return false;
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = kAllRights | (abi >= 3 ? kTruncate : 0);
  const UniqueFd ruleset(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules.handled_access_fs), 0)));
  if (!ruleset) return SystemError("make Landlock rules", errno);
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = allowed;
  beneath.parent_fd = folder;
  if (folder >= 0 && ::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH,
                               &beneath, 0) != 0) {
    return SystemError("make Landlock rules", errno);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return SystemError("take on Landlock rules", errno);
  }
  return true;
}

}  // namespace

Status ForbidNewPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return SystemError("forbid new privileges", errno);
  }
  return Ok();
}

Status DropRights(const std::optional<RunAs>& user) {
  if (user) {
    if (::setgroups(user->groups.size(), user->groups.data()) != 0 ||
        ::setresgid(user->gid, user->gid, user->gid) != 0 ||
        ::setresuid(user->uid, user->uid, user->uid) != 0) {
      return SystemError("become " + NameOfUser(user->uid), errno);
    }
    if (user->uid != 0 && ::setuid(0) == 0) {
      return Error{ErrorCode::kInternal, "the rights of root came back after they were given up"};
    }
  }
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) {
    return SystemError("give up capabilities", errno);
  }
  return Ok();
}

Result<bool> ForbidFiles() { return Restrict(-1, 0); }

Result<bool> ForbidFilesOutside(int folder) {
  return Restrict(folder, LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                              LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM);
}

}  // namespace slc
