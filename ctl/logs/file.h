// LogFile: the bytes of one log file, read from front to back, through `gzip -dc` if the file is
// compressed. Blocks while it reads.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {

class LogFile {
 public:
  // nullptr if there is no such file, or, with a warning, if it cannot be read.
  static std::unique_ptr<LogFile> OpenAt(int directory, const std::string& name, bool compressed,
                                         std::vector<std::string>* warnings);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // As read(2); 0 at the end (for now). After -1, and at a premature end, TakeFailure() says why.
  ssize_t Read(char* to, std::size_t size);
  std::string TakeFailure();

  // Puts the next Read() at `offset`; forward only in a compressed file. False: it is not that
  // long.
  bool MoveTo(std::uint64_t offset);

  // Uncompressed, now.
  std::uint64_t size() const;
  bool Is(const struct stat& info) const { return info.st_dev == device_ && info.st_ino == inode_; }
  bool compressed() const { return compressed_; }
  std::uint64_t inode() const { return inode_; }
  Millis changed() const { return changed_; }  // when it was opened

 private:
  LogFile() = default;
  Status StartGzip();

  UniqueFd fd_;
  UniqueFd pipe_;
  UniqueFd gzip_;
  bool compressed_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Millis changed_ = 0;
  std::uint64_t position_ = 0;
  std::string name_;
  std::string failure_;
};

}  // namespace slc::ctl
