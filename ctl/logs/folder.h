// LogFolder: the files of one stream in the log directory of one service: the current one, and
// those that were put aside, known by their stamps.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/log_names.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "ctl/logs/file.h"

namespace slc::ctl {

class LogFolder {
 public:
  // `path` need not exist (yet).
  LogFolder(std::string path, LogStream stream);

  const std::string& path() const { return path_; }
  LogStream stream() const { return stream_; }

  // Of the rest only is_open() may be called before this said true. False: there is no such
  // directory.
  Result<bool> Open();
  bool is_open() const { return static_cast<bool>(directory_); }
  void Close() { directory_.reset(); }

  // Of files put aside after that one, oldest first.
  std::vector<std::string> StampsAfter(const std::string& after) const;
  // The file with that stamp, compressed or not; with an empty one the current file. nullptr if it
  // is gone or, with a warning, cannot be read.
  std::unique_ptr<LogFile> OpenFile(const std::string& stamp, std::vector<std::string>* warnings);

  // Whether `path` still leads to the directory that was opened.
  bool IsInPlace() const;
  // Whether that is still the file being written.
  bool IsCurrent(const LogFile& file) const;

 private:
  const std::string path_;
  const LogStream stream_;
  UniqueFd directory_;
};

// When a file with that stamp was put aside; 0 for the empty stamp.
Millis TimeOfStamp(const std::string& stamp);

}  // namespace slc::ctl
