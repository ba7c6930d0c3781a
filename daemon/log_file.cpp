#include "daemon/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/base/files.h"

namespace slc {

std::string LogFile::PathOf(int number) const {
  return stem_ + (number == 0 ? std::string() : "." + std::to_string(number)) + ".log";
}

bool LogFile::InPlace() const {
  struct stat named {};
  return ::lstat(PathOf(0).c_str(), &named) == 0 && named.st_dev == device_ &&
         named.st_ino == inode_;
}

Status LogFile::Open() {
  const std::string path = PathOf(0);
  // O_NONBLOCK: whatever stands there under this name, a pipe for example, must not stop us.
  constexpr int kHow =
      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  UniqueFd fd(::open(path.c_str(), kHow, 0600));
  if (!fd && errno == ENOENT) {
    if (Status made = MakeDirectories(path.substr(0, path.rfind('/'))); !made) return made;
    fd.reset(::open(path.c_str(), kHow, 0600));
  }
  if (!fd) return SystemError("open " + path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kSystem, "open " + path + ": not a regular file"};
  }
  fd_ = std::move(fd);
  device_ = info.st_dev;
  inode_ = info.st_ino;
  size_ = static_cast<std::uint64_t>(info.st_size);
  return Ok();
}

// What cannot be renamed is overwritten by the next one: a log must not end because of it.
void LogFile::Rotate() {
  for (int number = files_ - 1; number > 0; --number) {
    std::rename(PathOf(number - 1).c_str(), PathOf(number).c_str());
  }
  fd_.reset();
}

Status LogFile::Append(std::string_view line) {
  if (fd_ && !InPlace()) fd_.reset();
  if (!fd_) {
    if (Status opened = Open(); !opened) return opened;
  }
  if (size_ > 0 && size_ + line.size() > file_bytes_) {
    Rotate();
    if (Status opened = Open(); !opened) return opened;
  }
  const ssize_t put = ::write(fd_.get(), line.data(), line.size());
  const int reason = errno;
  if (put == static_cast<ssize_t>(line.size())) {
    size_ += line.size();
    return Ok();
  }
  // Half a line is worse than none. Where it cannot be taken back either, the file is looked at
  // anew.
  if (put > 0 && ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) fd_.reset();
  return SystemError("write " + PathOf(0), put < 0 ? reason : ENOSPC);
}

}  // namespace slc
