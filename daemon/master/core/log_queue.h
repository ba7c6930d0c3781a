// LogQueue: the bounded buffer between the loop, which reads pipes, and the thread that writes log
// files.
//
// It holds formatted lines in blocks; a block belongs to one stream and holds whole lines. When the
// writer falls a full buffer behind, whole lines are dropped and counted, and once there is room
// again a line says how many: "[slc: 123 lines dropped]", worker 0, in the stream they are missing
// from, at the place where they are missing.
//
// Promises: produced == written + dropped + what is inside, always; a stream that floods leaves one
// block to the other one; memory is at most kLogBlocks * kLogBlockBytes and exists only while in
// use.
//
// Pure: no lock, no clock, no file. The caller locks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/log_names.h"
#include "common/base/time.h"
#include "daemon/master/core/log_lines.h"

namespace slc {

inline constexpr std::size_t kLogBlockBytes = 128U << 10;
inline constexpr std::size_t kLogBlocks = 8;

// Where blocks get their memory: the master maps pages, so that what is freed is gone from the
// process.
struct LogMemory {
  char* (*allocate)(std::size_t size);  // nullptr: there is none
  void (*release)(char* bytes, std::size_t size);
};
// new and delete.
LogMemory HeapLogMemory();

// Whole lines of one stream.
class LogBlock {
 public:
  LogBlock(LogMemory memory, char* bytes) : memory_(memory), bytes_(bytes) {}
  ~LogBlock() { memory_.release(bytes_, kLogBlockBytes); }
  LogBlock(const LogBlock&) = delete;
  LogBlock& operator=(const LogBlock&) = delete;

  LogStream stream() const { return stream_; }
  std::string_view text() const { return {bytes_, size_}; }
  // Lines without those that report a gap.
  std::uint64_t lines() const { return lines_; }
  // The same for the whole lines within the first `bytes`.
  std::uint64_t LinesWithin(std::size_t bytes) const;

 private:
  friend class LogQueue;
  LogMemory memory_;
  char* bytes_;
  LogStream stream_ = LogStream::kOut;
  std::size_t size_ = 0;
  std::uint64_t lines_ = 0;
  std::size_t printed_ = 0;            // bytes of those lines as they were pushed, with their ends
  std::vector<std::size_t> gap_ends_;  // where lines that report a gap end
};

class LogQueue {
 public:
  // `own_pid`: whose pid stands in lines that report a gap.
  explicit LogQueue(int own_pid, LogMemory memory = HeapLogMemory());

  // Adds a line. False: there is no room, and nothing has happened; the caller waits or calls
  // Drop().
  bool Push(const LineHead& head, std::string_view text);
  // Gives up the line that Push() refused, or lines that were not offered to it.
  void Drop(const LineHead& head, std::uint64_t lines = 1);

  // The oldest block, to be handed back with Written() or Abandon(); nullptr if there is nothing to
  // write. A gap that no later line has reported is reported here once all else is taken.
  std::unique_ptr<LogBlock> Take(Millis wall);
  // All of the block is in the file.
  void Written(std::unique_ptr<LogBlock> block);
  // Only the first `bytes` are, and the rest never will be: its lines count as dropped.
  void Abandon(std::unique_ptr<LogBlock> block, std::size_t bytes);

  // At least half of the buffer is free.
  bool Roomy() const { return in_use_[0] + in_use_[1] <= kLogBlocks / 2; }
  // Nothing to take.
  bool empty() const { return waiting_.empty() && gaps_[0].lines == 0 && gaps_[1].lines == 0; }

  // Frees the memory that is not in use.
  void Trim() { free_.clear(); }
  bool trimmed() const { return free_.empty(); }

  std::uint64_t produced() const { return produced_; }
  std::uint64_t written() const { return written_; }
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t written_bytes() const { return written_bytes_; }
  // Bytes of the lines inside, taken blocks included, as they were pushed and with their ends.
  std::size_t unwritten() const { return unwritten_; }

 private:
  struct Gap {
    std::uint64_t lines = 0;  // dropped and not yet reported
    LogFormat format = LogFormat::kText;
  };
  static std::size_t Index(LogStream stream) { return stream == LogStream::kOut ? 0 : 1; }
  // The block that has `room` bytes left for the stream; nullptr if there is none to be had.
  LogBlock* Tail(LogStream stream, std::size_t room);
  bool ReportGap(LogStream stream, Millis wall);
  void Free(std::unique_ptr<LogBlock> block);

  const int own_pid_;
  const LogMemory memory_;
  std::deque<std::unique_ptr<LogBlock>>
      waiting_;                          // oldest first; the youngest of a stream may grow
  std::array<LogBlock*, 2> tail_{};      // within waiting_
  std::array<std::size_t, 2> in_use_{};  // blocks per stream, with those taken
  std::vector<std::unique_ptr<LogBlock>> free_;
  std::array<Gap, 2> gaps_;
  std::uint64_t produced_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::size_t unwritten_ = 0;
};

// Patience: for how long pipes may be left unread because the buffer is full. A disk that writes,
// but for a moment slower than a flood (or a thread that has to wait for a processor), costs no
// line then; a disk that hangs costs workers nothing.
//
// Patience is earned by what the writer writes: a worker is slowed down to kSlowest bytes per
// second at the lowest, and never for longer than kMost at once. Spans are microseconds.
class Patience {
 public:
  static constexpr std::int64_t kMost = 200'000;
  static constexpr std::int64_t kSlowest = 10'000'000;

  // For how long to wait now; 0: do not wait, drop. `written`: all bytes written so far.
  std::int64_t Left(std::uint64_t written);
  // It was waited for so long.
  void Waited(std::int64_t span) { left_ = span < left_ ? left_ - span : 0; }

 private:
  std::int64_t left_ = kMost;
  std::uint64_t written_ = 0;
};

}  // namespace slc
