#include "common/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace slc {
namespace {

Status CheckPrivate(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SystemError("stat " + path, errno);
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Error{ErrorCode::kPermission, path + " belongs to uid " + std::to_string(info.st_uid) +
                                             ", not to uid " + std::to_string(::geteuid()) +
                                             "; use a directory of your own"};
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{ErrorCode::kPermission, path + " is writable by others; run: chmod go-w " + path};
  }
  return Ok();
}

Status RemoveContents(int directory) {
  auto names = ListDirectory(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (Status removed = RemoveTreeAt(directory, name); !removed) return removed;
  }
  return Ok();
}

}  // namespace

Result<std::string> ReadOpenFile(const UniqueFd& fd, const std::string& name, std::size_t limit) {
  std::string content;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return SystemError("read " + name, errno);
    }
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) {
      return Error{ErrorCode::kInvalid,
                   name + " is larger than " + std::to_string(limit) + " bytes"};
    }
  }
}

Result<std::string> ReadFile(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return SystemError("open " + path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) == 0 && S_ISFIFO(info.st_mode)) {
    return Error{ErrorCode::kInvalid, path + " is a pipe, not a file"};
  }
  return ReadOpenFile(fd, path, limit);
}

Result<std::string> ReadFileAt(int directory, const std::string& name, std::size_t limit) {
  UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return SystemError("open " + name, errno);
  return ReadOpenFile(fd, name, limit);
}

Result<std::string> ReadRegularFile(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) {
    const int reason = errno;
    Error error = SystemError("open " + path, reason);
    if (reason == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kInvalid, path + " is not a regular file"};
  return ReadOpenFile(fd, path, limit);
}

Status WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return SystemError("write", errno);
    }
    data.remove_prefix(static_cast<std::size_t>(put));
  }
  return Ok();
}

Status ReplaceFileAt(int directory, const std::string& name, std::string_view content,
                     bool keep_previous) {
  const std::string temporary = name + ".tmp";
  if (::unlinkat(directory, temporary.c_str(), 0) != 0 && errno != ENOENT) {
    return SystemError("remove " + temporary, errno);
  }
  {
    UniqueFd fd(::openat(directory, temporary.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return SystemError("create " + temporary, errno);
    Status written = WriteAll(fd.get(), content);
    if (written && ::fsync(fd.get()) != 0) written = SystemError("fsync", errno);
    if (!written) {
      ::unlinkat(directory, temporary.c_str(), 0);
      return written.error().During(temporary);
    }
  }
  if (keep_previous) {
    const std::string previous = name + ".prev";
    const std::string link = previous + ".tmp";
    // A hard link, so that neither NAME nor NAME.prev ever vanishes.
    ::unlinkat(directory, link.c_str(), 0);
    const bool linked = ::linkat(directory, name.c_str(), directory, link.c_str(), 0) == 0;
    if ((!linked && errno != ENOENT) ||
        (linked && ::renameat(directory, link.c_str(), directory, previous.c_str()) != 0)) {
      const int reason = errno;
      ::unlinkat(directory, link.c_str(), 0);
      ::unlinkat(directory, temporary.c_str(), 0);
      return SystemError("keep " + previous, reason);
    }
  }
  if (::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) {
    const int reason = errno;
    ::unlinkat(directory, temporary.c_str(), 0);
    return SystemError("rename to " + name, reason);
  }
  if (::fsync(directory) != 0) return SystemError("fsync of the directory of " + name, errno);
  return Ok();
}

Status MakeDirectories(const std::string& path) {
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (part.empty()) continue;
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return SystemError("create directory " + part, errno);
    }
  }
  return Ok();
}

// What is there is opened without asking the disk to write: one that hangs or is read-only still
// lets us in.
Result<UniqueFd> OpenPrivateDirectory(const std::string& path, bool create) {
  constexpr int kHow = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(path.c_str(), kHow));
  if (!fd && errno == ENOENT && create) {
    if (Status made = MakeDirectories(path); !made) return made.error();
    fd.reset(::open(path.c_str(), kHow));
  }
  if (!fd) {
    const int reason = errno;
    // A missing home is an ordinary answer, not trouble.
    Error error = SystemError("open directory " + path, reason);
    if (reason == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  if (Status safe = CheckPrivate(fd.get(), path); !safe) return safe.error();
  return fd;
}

Result<UniqueFd> OpenPrivateDirectoryAt(int parent, const std::string& name, bool create) {
  constexpr int kHow = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::openat(parent, name.c_str(), kHow));
  if (!fd && errno == ENOENT && create) {
    if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) {
      return SystemError("create directory " + name, errno);
    }
    fd.reset(::openat(parent, name.c_str(), kHow));
  }
  if (!fd) {
    const int reason = errno;
    Error error = SystemError("open directory " + name, reason);
    if (reason == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  if (Status safe = CheckPrivate(fd.get(), name); !safe) return safe.error();
  return fd;
}

Result<std::vector<std::string>> ListDirectory(int directory) {
  UniqueFd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return SystemError("open directory", errno);
  DIR* stream = ::fdopendir(copy.get());
  if (stream == nullptr) return SystemError("read directory", errno);
  copy.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  const int reason = errno;
  ::closedir(stream);
  if (reason != 0) return SystemError("read directory", reason);
  std::sort(names.begin(), names.end());
  return names;
}

Status RemoveTreeAt(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return Ok();
  if (errno != EISDIR && errno != EPERM) return SystemError("remove " + name, errno);
  {
    UniqueFd directory(
        ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!directory) return SystemError("open directory " + name, errno);
    if (Status removed = RemoveContents(directory.get()); !removed) return removed;
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) {
    return SystemError("remove directory " + name, errno);
  }
  return Ok();
}

Result<FileId> IdentifyFile(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SystemError("look at a descriptor", errno);
  return FileId{info.st_dev, info.st_ino};
}

Result<std::optional<FileId>> IdentifyFileAt(int directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    return std::optional<FileId>(FileId{info.st_dev, info.st_ino});
  }
  if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileId>();
  return SystemError("look at " + name, errno);
}

bool IsSameFile(int one, int other) {
  const auto first = IdentifyFile(one);
  const auto second = IdentifyFile(other);
  return first && second && *first == *second;
}

bool IsFileAt(int fd, int directory, const std::string& name) {
  const auto open = IdentifyFile(fd);
  const auto there = IdentifyFileAt(directory, name);
  return open && there && *there == *open;
}

namespace {

Result<UniqueFd> TryLockFileAt(int directory, const std::string& name, std::string_view content) {
  constexpr int kHow = O_CLOEXEC | O_NOFOLLOW;
  // On a disk that hangs whoever opens for writing what is not in the kernel's memory waits.
  // Whoever opens for reading does not, and brings it there.
  const UniqueFd looked_up(::openat(directory, name.c_str(), O_RDONLY | O_NONBLOCK | kHow));
  UniqueFd fd(::openat(directory, name.c_str(), O_RDWR | kHow));
  if (!fd && errno == ENOENT) {
    fd.reset(::openat(directory, name.c_str(), O_RDWR | O_CREAT | kHow, 0600));
  }
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  const bool read_only = !fd && errno == EROFS;
  if (read_only) {
    // A lock for reading keeps those out who can write; flock() those who, like us, cannot.
    fd.reset(::openat(directory, name.c_str(), O_RDONLY | kHow));
    range.l_type = F_RDLCK;
  }
  if (!fd) return SystemError("open lock " + name, errno);
  if ((read_only && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) ||
      ::fcntl(fd.get(), F_OFD_SETLK, &range) != 0) {
    if (errno != EAGAIN && errno != EACCES) return SystemError("lock " + name, errno);
    auto holder = ReadFileAt(directory, name, 4096);
    return Error{ErrorCode::kConflict, holder ? *holder : std::string()};
  }
  if (!IsFileAt(fd.get(), directory, name)) return UniqueFd();
  if (read_only || content.empty()) return fd;
  // In place, and the rest cut off afterwards: a full disk takes that. Where it does not, the lock
  // is held all the same, and its file tells of nobody rather than of somebody else.
  const auto length = static_cast<ssize_t>(content.size());
  const bool written = ::pwrite(fd.get(), content.data(), content.size(), 0) == length;
  if (::ftruncate(fd.get(), written ? length : 0) != 0 && errno != ENOSPC && errno != EIO) {
    return SystemError("truncate lock " + name, errno);
  }
  return fd;
}

}  // namespace

Result<UniqueFd> LockFileAt(int directory, const std::string& name, std::string_view content) {
  // A file that was removed since it was opened keeps nobody out.
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    auto locked = TryLockFileAt(directory, name, content);
    if (!locked || *locked) return locked;
  }
  return Error{ErrorCode::kStorage, "lock " + name + ": somebody removes it over and over"};
}

Result<bool> IsLockedAt(int directory, const std::string& name) {
  const UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return false;
  if (!fd) return SystemError("open lock " + name, errno);
  // As if for writing: then a lock of a holder that can only read is in the way too.
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_OFD_GETLK, &range) != 0) return SystemError("ask for " + name, errno);
  return range.l_type != F_UNLCK;
}

std::string DescribeRoom(int directory) {
  if (IsReadOnly(directory)) return "the file system is read-only: remount it read-write";
  struct statvfs system {};
  if (::fstatvfs(directory, &system) != 0) return {};
  if (system.f_bavail == 0) return "the file system is full: free some space";
  if (system.f_files > 0 && system.f_favail == 0) {
    return "the file system has no inode left: remove some files";
  }
  return {};
}

bool IsReadOnly(int directory) {
  struct statvfs system {};
  return ::fstatvfs(directory, &system) == 0 && (system.f_flag & ST_RDONLY) != 0;
}

std::string PathThroughFd(int directory, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(directory) + "/" + name;
}

}  // namespace slc
