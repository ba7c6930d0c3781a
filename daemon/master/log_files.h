// LogFiles: the log directory of one service on disk: appends, rotates, compresses, limits.
//
// Files (see common/base/log_names.h) are opened for appending, mode 0600, in a directory that is
// made with 0700 when missing, and never through a symbolic link. A file that would grow beyond its
// limit is put aside at the end of a line and compressed by a niced `gzip`, one at a time, once the
// log has calmed down. Current files and those put aside are together at most `files`; the stream
// with more of them loses its oldest first, so a chatty stdout does not push stderr's history out.
// So the directory holds at most file_bytes * files.
//
// Looks before each write whether the file is still the one of that name: deleted, moved or with
// its directory, it is made anew, and what is written goes there from the beginning of a line on.
//
// The directory "-" (kStandardOutput) stands for our standard output, where both streams go line by
// line and nothing is rotated: `slc run` in a container.
//
// Every call may block on the disk: used only by the log writer's thread.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log_names.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc {

inline constexpr const char* kStandardOutput = "-";

class LogFiles {
 public:
  // Nothing is opened or made before the first Append(). `directory` is absolute, or "-".
  explicit LogFiles(std::string directory);
  // A compression under way is given up; the next process does it.
  ~LogFiles();
  LogFiles(const LogFiles&) = delete;
  LogFiles& operator=(const LogFiles&) = delete;

  // `files` below 2 counts as 2. Holds from the next write on.
  void SetLimits(std::uint64_t file_bytes, std::uint32_t files);
  // For tests: a program that is called as gzip is. "" : gzip in PATH.
  void SetGzip(std::string program) { gzip_ = std::move(program); }

  // Writes `block`, which holds whole lines, from `*offset` on and moves `*offset` on by what the
  // disk has taken. An error leaves the rest to a later call with the same block.
  Status Append(LogStream stream, std::string_view block, std::size_t* offset);

  // False: no compression is begun, and the one under way is given up; it has ended when gzip_fd()
  // is -1 again. True: as at the beginning.
  void Compress(bool on);

  // Readable when a compression has ended; -1 when there is none. Then call Tend().
  int gzip_fd() const { return gzip_pidfd_.get(); }
  // When the next one may begin, CLOCK_BOOTTIME: call Tend() then; -1: there is nothing to begin.
  Millis gzip_due() const;
  void Tend();

  // What an operator should know once ("there is no gzip ..."); empty: nothing new.
  std::string TakeNote() { return std::exchange(note_, {}); }

 private:
  struct Current {
    UniqueFd fd;
    dev_t device = 0;
    ino_t inode = 0;
    std::uint64_t size = 0;
    Millis opened = 0;  // CLOCK_BOOTTIME
  };
  static std::size_t Index(LogStream stream) { return stream == LogStream::kOut ? 0 : 1; }
  Current& Of(LogStream stream) { return current_[Index(stream)]; }

  static Status AppendToStandardOutput(std::string_view block, std::size_t* offset);
  Status OpenDirectory();
  Status Open(LogStream stream);
  bool DirectoryIsInPlace() const;
  bool FileIsInPlace(LogStream stream) const;
  Status Rotate(LogStream stream);
  std::vector<RotatedLogName> ListRotated() const;
  void RemoveSurplus();
  // By so much since then: no faster than files can be compressed beside it.
  static bool IsCalm(std::uint64_t grown, Millis since);
  void AwaitCalm();
  void StartGzip();
  void FinishGzip(bool success);
  void AbandonGzip();

  const std::string directory_path_;
  std::uint64_t file_bytes_ = 10U << 20;
  std::uint32_t files_ = 10;
  UniqueFd directory_;
  std::array<Current, 2> current_;
  Millis newest_stamp_ = 0;

  std::string gzip_;
  bool gzip_missing_ = false;
  bool gzip_wanted_ = true;
  UniqueFd gzip_pidfd_;
  pid_t gzip_pid_ = 0;           // nobody else's before it is reaped
  RotatedLogName gzip_source_;   // of the compression under way
  bool gzip_abandoned_ = false;  // it was killed and only has to be reaped
  bool gzip_pending_ = false;    // there may be a file to compress
  Millis flood_since_ = 0;       // CLOCK_BOOTTIME; > 0: the log grew too fast, then or since
  std::uint64_t grown_ = 0;      // by how many bytes since then
  Millis gzip_not_before_ = 0;   // CLOCK_BOOTTIME; after a failure, and while the log grows fast
  std::string note_;
};

}  // namespace slc
