// Reading the log files of a service: history over files that were put aside, compressed or not,
// and what is written from now on.
//
// A line is what stands in the file, whatever its format. Its time is taken from the stamp that
// text and JSON lines begin with; a line without one (raw format, or a line put there by hand) has
// the time of the line before it in the same stream. So raw files cannot be merged line by line:
// what they hold counts as written when the file was begun, one file after the other.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/log_names.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {

struct LogLine {
  std::string text;   // the whole line without its "\n"
  Millis time = 0;    // wall time for merging; 0: unknown
  Millis latest = 0;  // it was not written later than that; = time if it is known
  LogStream stream = LogStream::kOut;
  bool ended = true;       // had a "\n"
  std::uint64_t end = 0;   // offset behind it in its file
  std::uint32_t file = 0;  // which file that is, for LogStreamReader::After
};

// What a line says about itself. Of a line that is neither text nor JSON format only `text` is
// known.
struct LogFields {
  std::optional<Millis> time;
  std::optional<std::int64_t> pid;
  std::optional<WorkerId> worker;
  std::string text;
};
LogFields ParseLogLine(const std::string& line);

// The stamp a line of text or JSON format begins with; -1 if there is none. Remembers the last
// minute seen: most lines are of the same one.
class StampParser {
 public:
  Millis Parse(std::string_view line);

 private:
  std::string minute_;
  Millis minute_start_ = 0;
};

// A place in a stream that stays findable when the file is put aside, compressed or removed.
struct LogPosition {
  std::string after;           // stamp of the newest file put aside that was read whole; "" : none
  std::uint64_t inode = 0;     // of the file that came next
  std::uint64_t offset = 0;    // in its uncompressed bytes
  std::uint32_t length = 0;    // of the bytes before `offset` whose checksum is:
  std::uint32_t checksum = 0;  // it tells the file from another one with the same inode or place

  bool operator==(const LogPosition&) const = default;
};

// A log file that is read from front to back, through `gzip -dc` if it is compressed.
class LogFileBytes;

// Reads one stream of one service.
class LogStreamReader {
 public:
  // `directory` need not exist (yet).
  LogStreamReader(std::string directory, LogStream stream);
  ~LogStreamReader();
  LogStreamReader(LogStreamReader&&) noexcept;
  LogStreamReader(const LogStreamReader&) = delete;

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

  // Up to `count` lines before the place where Next() began, oldest first: the last ones that are
  // wanted and not older than `since`. Reads from the end; to be called after StartAtEnd(), before
  // Next().
  std::vector<LogLine> Last(std::size_t count, Millis since,
                            const std::function<bool(const LogLine&)>& wanted);
  // True if there is a log at all.
  bool exists() const { return bytes_ || !pending_.empty() || !after_.empty(); }

  // Files that could not be read, for people; each is reported once.
  std::vector<std::string> TakeWarnings() { return std::exchange(warnings_, {}); }

 private:
  // A file that was put aside (or, with an empty stamp, the current one) and where to begin in it.
  struct Candidate {
    std::string stamp;
    std::uint64_t offset = 0;
    bool within_line = false;  // `offset` may be within a line, whose rest is skipped
  };
  struct FileId {
    std::string after;
    std::uint64_t inode = 0;
  };

  using Wanted = std::function<bool(const LogLine&)>;

  // False: there is no such directory.
  Result<bool> OpenDirectory();
  bool DirectoryIsInPlace() const;
  std::vector<std::string> StampsAfter(const std::string& after) const;
  std::unique_ptr<LogFileBytes> Open(const std::string& stamp);
  bool OpenNext();
  void Begin(std::unique_ptr<LogFileBytes> bytes, const Candidate& candidate);
  bool Fill();
  bool TakeLine(LogLine* line);
  void TakeRest(LogLine* line);
  void Describe(LogLine* line, std::string_view text, bool ended);
  bool CurrentIsInPlace() const;
  bool CurrentWasCut() const;
  void LeaveCurrent();
  bool Matches(LogFileBytes& bytes, const LogPosition& position) const;
  void KeepLast(std::vector<Candidate>* files, const LogFileBytes* current, std::uint64_t most);
  std::vector<LogLine> LastOfFile(LogFileBytes& bytes, std::uint64_t size, const std::string& after,
                                  std::size_t count, Millis since, const Wanted& wanted);

  const std::string path_;
  const LogStream stream_;
  UniqueFd directory_;
  std::vector<std::string> warnings_;

  std::vector<Candidate> pending_;       // files put aside that come next, oldest first
  std::string after_;                    // stamp of the newest one that is behind us
  std::unique_ptr<LogFileBytes> bytes_;  // what is being read
  std::string stamp_;                    // of that file; empty: it is the current one
  std::uint64_t offset_ = 0;             // of buffer_[begin_] in it
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

// Merges lines by time; within each list their order is kept.
std::vector<LogLine> MergeByTime(std::vector<std::vector<LogLine>> lists);

// Waits until something happens in one of several log directories, which need not exist (yet).
class LogWatch {
 public:
  explicit LogWatch(std::vector<std::string> directories);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  // kChanged also after a second without anything, since not every file system tells.
  enum class Outcome { kChanged, kInterrupted, kHungUp };
  // kInterrupted: a signal handler has run. kHungUp: nobody reads any more what is written to
  // `out_fd`
  // (-1: not watched).
  Outcome Wait(int out_fd);

 private:
  void AddMissing();

  std::vector<std::string> directories_;
  std::vector<int> watches_;  // -1: not watched (yet)
  UniqueFd inotify_;          // empty: the system has none left; then we look once a second
};

}  // namespace slc::ctl
