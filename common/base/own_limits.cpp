#include "common/base/own_limits.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

// What not even root may go beyond.
rlim_t MostOfKernel() {
  const auto text = ReadFile("/proc/sys/fs/nr_open", 64);
  const auto number = text ? ParseInteger(Trim(*text), 1, INT64_MAX) : std::nullopt;
  return number ? static_cast<rlim_t>(*number) : RLIM_INFINITY;
}

}  // namespace

Status MayGiveFileLimit(rlim_t files) {
  rlimit own{};
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0) return SystemError("read the file limit", errno);
  if (files <= own.rlim_max) return Ok();
  if (files > MostOfKernel()) {
    return Error{ErrorCode::kPermission, "the kernel allows " + std::to_string(MostOfKernel()) +
                                             " at most (sysctl fs.nr_open)"};
  }
  const rlimit raised{own.rlim_cur, files};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
    ::setrlimit(RLIMIT_NOFILE, &own);
    return Ok();
  }
  return Error{ErrorCode::kPermission,
               "at most " + std::to_string(own.rlim_max) +
                   " may be given, the hard limit of slcd; raise that (LimitNOFILE= by systemctl "
                   "edit slc, or nofile in /etc/security/limits.conf) and start slcd anew, or give "
                   "less"};
}

Status MayGiveNice(int nice) {
  errno = 0;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  if (errno != 0) return SystemError("read the niceness", errno);
  if (nice >= own) return Ok();
  if (::setpriority(PRIO_PROCESS, 0, nice) == 0) {
    ::setpriority(PRIO_PROCESS, 0, own);
    return Ok();
  }
  return Error{ErrorCode::kPermission,
               "slcd has niceness " + std::to_string(own) + " and may not go below (" +
                   std::strerror(errno) +
                   "); run it as root, or allow it by LimitNICE=" + std::to_string(nice) +
                   " (systemctl edit slc, or nice in /etc/security/limits.conf) and start slcd "
                   "anew, or give more"};
}

}  // namespace slc
