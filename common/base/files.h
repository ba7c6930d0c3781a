// Files and directories. All calls block: loops use them only at start or on their worker thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

// The whole file; refuses more than `limit` bytes, and a pipe, which could keep it waiting.
Result<std::string> ReadFile(const std::string& path, std::size_t limit = 16U << 20);
// The same relative to an open directory, never through a symbolic link in the last part.
Result<std::string> ReadFileAt(int directory, const std::string& name,
                               std::size_t limit = 16U << 20);

// The whole file if it is a regular one: a fifo in its place keeps nobody waiting. kNotFound if
// there is none.
Result<std::string> ReadRegularFile(const std::string& path, std::size_t limit);

// Replaces `name` in `directory` so that after a crash or power loss it holds either the old
// content or the new: temporary file, fsync, rename, fsync of the directory. With `keep_previous`
// the old file remains as NAME.prev. Mode 0600. A failed fsync is never retried (the kernel may
// have dropped the dirty pages and report success the second time): the temporary file is thrown
// away.
Status ReplaceFileAt(int directory, const std::string& name, std::string_view content,
                     bool keep_previous);

// What is still to be read of an open file, from where it stands. `name`: for errors.
Result<std::string> ReadOpenFile(const UniqueFd& fd, const std::string& name, std::size_t limit);

// Writes all of `data`; a short write is continued.
Status WriteAll(int fd, std::string_view data);

// mkdir -p with mode 0700 for what is missing.
Status MakeDirectories(const std::string& path);

// Opens (and with `create` makes, 0700) a directory. Refuses a symbolic link as its last part and a
// directory that is owned by somebody else than us or root, or writable by others: a place where
// strangers can plant names.
Result<UniqueFd> OpenPrivateDirectory(const std::string& path, bool create);
Result<UniqueFd> OpenPrivateDirectoryAt(int parent, const std::string& name, bool create);

// Names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> ListDirectory(int directory);

// Removes a directory tree below `parent`; a name that does not exist is success.
Status RemoveTreeAt(int parent, const std::string& name);

// An exclusive lock of an open file description (F_OFD_SETLK), held as long as the UniqueFd lives
// and gone with the process, however it ends. The file keeps `content` for people and for `slc` to
// read, if the disk takes it; nothing is written if it is empty. Works on a disk that is full or
// read-only, and with nothing to write on one that hangs, if the file is there. kConflict: somebody
// else holds it; the message carries the file's content.
Result<UniqueFd> LockFileAt(int directory, const std::string& name, std::string_view content);
// Which file it is, so long as it is there: afterwards another one may get the same number.
struct FileId {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const FileId&) const = default;
};
Result<FileId> IdentifyFile(int fd);
// Of `name` in `directory` (AT_FDCWD: a path); nothing if there is none. An error: it cannot be
// told. Needs no descriptor, and does not follow a symbolic link in the last part.
Result<std::optional<FileId>> IdentifyFileAt(int directory, const std::string& name);
// Whether both descriptors are of one file. Of sockets, pipes and memfds each is one of its own.
bool IsSameFile(int one, int other);
// Whether `name` in `directory` (AT_FDCWD: a path) still is the file that is open as `fd`.
bool IsFileAt(int fd, int directory, const std::string& name);
// Whether somebody, or we by another descriptor, holds that lock; nobody if there is no such file.
// Asks without taking it. An error: it cannot be told.
Result<bool> IsLockedAt(int directory, const std::string& name);

// Why the file system of an open directory takes nothing, and what to do, as far as that shows:
// "the file system is full: free some space". Empty if it does not show.
std::string DescribeRoom(int directory);

// True if the file system of an open directory is known to be read-only.
bool IsReadOnly(int directory);

// "/proc/self/fd/N/name": reaches a unix socket below `directory` however long its real path is
// (sun_path holds 108 bytes).
std::string PathThroughFd(int directory, const std::string& name);

}  // namespace slc
