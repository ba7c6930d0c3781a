#include "common/base/file_rights.h"

#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace slc {
namespace {

constexpr unsigned kNobody = static_cast<unsigned>(-1);

}  // namespace

// Plain system calls where glibc's functions would change all threads.
FileRights::FileRights(const std::optional<RunAs>& owner) {
  if (!owner) return;
  errno_value_ = EPERM;
  groups_.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  if (::getgroups(static_cast<int>(groups_.size()), groups_.data()) < 0) return;
  if (::syscall(SYS_setgroups, owner->groups.size(), owner->groups.data()) != 0) return;
  changed_ = true;
  gid_ = static_cast<gid_t>(::setfsgid(owner->gid));
  uid_ = static_cast<uid_t>(::setfsuid(owner->uid));
  // They report no failure, only what was; asked for nobody they change nothing.
  if (static_cast<uid_t>(::setfsuid(kNobody)) != owner->uid) return;
  if (static_cast<gid_t>(::setfsgid(kNobody)) != owner->gid) return;
  errno_value_ = 0;
}

FileRights::~FileRights() {
  if (!changed_) return;
  ::setfsuid(uid_);
  ::setfsgid(gid_);
  const long restored = ::syscall(SYS_setgroups, groups_.size(), groups_.data());
  // Going on with the rights of somebody else would be worse than to be replaced.
  if (restored != 0 || static_cast<uid_t>(::setfsuid(kNobody)) != uid_) std::abort();
  // The kernel took the change for a set-uid program's and shut our /proc entries, which a
  // successor wants to read.
  ::prctl(PR_SET_DUMPABLE, 1);
}

}  // namespace slc
