// LogStreamReader: one stream of one service from front to back: history over files that were put
// aside, compressed or not, and what is written from now on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/log_names.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "ctl/logs/file.h"
#include "ctl/logs/folder.h"
#include "ctl/logs/last_lines.h"
#include "ctl/logs/line.h"
#include "ctl/logs/position.h"
#include "ctl/logs/rest.h"

namespace slc::ctl {

class LogStreamReader {
 public:
  // `directory` need not exist (yet).
  LogStreamReader(std::string directory, LogStream stream);

  // Where Next() begins; one of these is called first. Behind the last whole line there is now:
  Status StartAtEnd();
  // At the oldest file that may hold lines of that wall time; 0: at the very beginning.
  Status StartAt(Millis since);
  // Behind what was read before, or, if that is more than `most` bytes back, about as much before
  // the end (at the beginning of a line).
  Status StartAfter(const LogPosition& position, std::uint64_t most);

  // The next line; false: there is none now. Then call again when something has happened: files
  // that were put aside meanwhile, any number, are read to their ends first; a file that was cut is
  // read anew. A last line without end is given only when its file is complete.
  bool Next(LogLine* line);

  // The place behind a line that Next() gave.
  LogPosition After(const LogLine& line) const;

  // The last lines before the place where Next() begins, oldest first. Reads from the end; to be
  // called after StartAtEnd(), before Next().
  std::vector<LogLine> Last(const LastLinesQuery& query);

  // True if there is a log at all.
  bool exists() const { return file_ || !aside_.empty() || !after_.empty(); }

  // Files that could not be read, for people; each is reported once.
  std::vector<std::string> TakeWarnings() { return std::exchange(warnings_, {}); }

 private:
  struct FileId {
    std::string after;
    std::uint64_t inode = 0;
  };

  bool OpenNext();
  void Begin(std::unique_ptr<LogFile> file, const LogPart& part);
  bool Fill();
  bool TakeLine(LogLine* line);
  void TakeRest(LogLine* line);
  void Describe(LogLine* line, std::string_view text, bool ended);
  bool CurrentWasCut() const;
  void LeaveCurrent();

  LogFolder folder_;
  std::vector<std::string> warnings_;

  std::vector<LogPart> aside_;     // files put aside that come next, oldest first
  std::string after_;              // stamp of the newest one that is behind us
  std::unique_ptr<LogFile> file_;  // what is being read
  std::string stamp_;              // of that file; empty: it is the current one
  std::uint64_t offset_ = 0;       // of buffer_[begin_] in it
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;  // there is no "\n" in buffer_ before this
  bool skip_line_ = false;
  std::vector<FileId> files_;  // all that were begun
  StampParser stamps_;
  Millis time_ = 0;  // for lines without a stamp
  Millis latest_ = 0;
  bool stamped_ = false;  // a line of this file had a stamp
};

}  // namespace slc::ctl
