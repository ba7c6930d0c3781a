// LogFile: a log file that is appended to line by line and rotated by size: NAME.log, then
// NAME.1.log (the youngest before it), NAME.2.log, ...
//
// A line is in the file whole or not at all, also when the disk becomes full in the middle of it. A
// file that was removed or renamed by somebody else, alone or with its directory, is made anew with
// the next line. Nothing is opened before the first one. Every call may block on the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

class LogFile {
 public:
  // `stem`: the path without ".log". At most `files` of about `file_bytes` each.
  LogFile(std::string stem, std::uint64_t file_bytes, int files)
      : stem_(std::move(stem)), file_bytes_(file_bytes), files_(files) {}

  Status Append(std::string_view line);

 private:
  std::string PathOf(int number) const;
  bool InPlace() const;
  Status Open();
  void Rotate();

  const std::string stem_;
  const std::uint64_t file_bytes_;
  const int files_;
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace slc
