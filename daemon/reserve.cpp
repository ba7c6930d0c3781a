#include "daemon/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"

namespace slc {

Status Reserve::Renew() {
  struct stat info {};
  const bool whole = ::fstatat(directory_, name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                     S_ISREG(info.st_mode) && info.st_size == static_cast<off_t>(kBytes);
  if (whole && used_ == 0 && !poisoned_) return Ok();
  // Real bytes: a hole or an extent that was only set aside could still need a block.
  Status made = ReplaceFileAt(directory_, name_, std::string(kBytes, '\n'), false);
  if (!made) return made.error();
  used_ = 0;
  poisoned_ = false;
  return Ok();
}

Status Reserve::Append(const std::string& record) {
  const std::string line = record + "\n";
  if (poisoned_) return Error{ErrorCode::kStorage, name_ + " could not be written before"};
  if (used_ + line.size() > kBytes) return Error{ErrorCode::kStorage, name_ + " is full"};
  const UniqueFd fd(::openat(directory_, name_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return SystemError("open " + name_, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError("stat " + name_, errno);
  if (info.st_size != static_cast<off_t>(kBytes)) {
    return Error{ErrorCode::kStorage, name_ + " is not whole"};
  }
  // What was written in part is a record like any that a crash has cut off.
  const ssize_t put = ::pwrite(fd.get(), line.data(), line.size(), static_cast<off_t>(used_));
  const int reason = put < 0 ? errno : ENOSPC;
  if (put > 0) used_ += static_cast<std::size_t>(put);
  if (put != static_cast<ssize_t>(line.size())) return SystemError("write " + name_, reason);
  if (::fsync(fd.get()) == 0) return Ok();
  poisoned_ = true;
  return SystemError("fsync " + name_, errno);
}

std::vector<std::string> Reserve::Read() {
  auto text = ReadFileAt(directory_, name_, kBytes);
  if (!text) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == '\0')) text->pop_back();
  std::vector<std::string> records;
  for (std::string& line : Split(*text, '\n')) {
    if (!line.empty()) records.push_back(std::move(line));
  }
  used_ = text->empty() ? 0 : text->size() + 1;
  return records;
}

}  // namespace slc
