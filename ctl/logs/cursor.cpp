#include "ctl/logs/cursor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "ctl/logs/merge.h"
#include "ctl/logs/stream_reader.h"

namespace slc::ctl {
namespace {

constexpr const char* kCursorFile = "dump.cursor";
constexpr const char* kLockFile = "dump.lock";

std::size_t Index(LogStream stream) { return stream == LogStream::kOut ? 0 : 1; }

}  // namespace

std::string FormatCursor(const std::array<LogPosition, 2>& positions) {
  std::string text = "slc-log-cursor 1\n";
  for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
    const LogPosition& position = positions[Index(stream)];
    text += std::string(Name(stream)) + " " + (position.after.empty() ? "-" : position.after);
    for (const std::uint64_t number :
         {position.inode, position.offset, std::uint64_t{position.length},
          std::uint64_t{position.checksum}}) {
      text += " " + std::to_string(number);
    }
    text += "\n";
  }
  return text;
}

std::optional<std::array<LogPosition, 2>> ParseCursor(const std::string& text) {
  const std::vector<std::string> lines = Split(text, '\n');
  if (lines.size() != 4 || lines[0] != "slc-log-cursor 1" || !lines[3].empty()) return std::nullopt;
  std::array<LogPosition, 2> positions;
  for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
    const std::vector<std::string> fields = Split(lines[1 + Index(stream)], ' ');
    if (fields.size() != 6 || fields[0] != Name(stream)) return std::nullopt;
    const auto inode = ParseInteger(fields[2], 0, INT64_MAX);
    const auto offset = ParseInteger(fields[3], 0, INT64_MAX);
    const auto length = ParseInteger(fields[4], 0, UINT32_MAX);
    const auto checksum = ParseInteger(fields[5], 0, UINT32_MAX);
    if (!inode || !offset || !length || !checksum) return std::nullopt;
    LogPosition& position = positions[Index(stream)];
    if (fields[1] != "-") position.after = fields[1];
    position.inode = static_cast<std::uint64_t>(*inode);
    position.offset = static_cast<std::uint64_t>(*offset);
    position.length = static_cast<std::uint32_t>(*length);
    position.checksum = static_cast<std::uint32_t>(*checksum);
  }
  return positions;
}

LogCursor::LogCursor(std::string path, UniqueFd directory, UniqueFd lock)
    : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

Result<LogCursor> LogCursor::Open(const std::string& directory, Millis patience) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    Error error = SystemError("open directory " + directory, errno);
    if (errno == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  const Millis deadline = BootNow() + patience;
  while (true) {
    // Empty: it must work on a full disk.
    auto lock = LockFileAt(fd.get(), kLockFile, "");
    if (lock) return LogCursor(directory, std::move(fd), std::move(*lock));
    if (lock.error().code != ErrorCode::kConflict) return lock.error().During(directory);
    if (BootNow() >= deadline) {
      return Error{ErrorCode::kConflict, "another log-dump of " + directory + " is at work"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<LogCursor::New> LogCursor::Read() {
  New read;
  auto stored = ReadFileAt(directory_.get(), kCursorFile, 4096);
  if (stored) {
    if (const auto parsed = ParseCursor(*stored)) {
      positions_ = *parsed;
    } else {
      read.warnings.push_back(path_ + "/" + kCursorFile + " is damaged: starting anew");
    }
  }
  std::vector<std::vector<LogLine>> lists;
  std::vector<LogStreamReader> readers;
  for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
    LogStreamReader& reader = readers.emplace_back(path_, stream);
    if (Status started = reader.StartAfter(positions_[Index(stream)], kMostDumped); !started) {
      return started.error();
    }
    // A compressed file is read from its beginning, so more may come than can be printed.
    std::vector<LogLine>& lines = lists.emplace_back();
    std::size_t first = 0;
    std::uint64_t size = 0;
    LogLine line;
    while (reader.Next(&line)) {
      size += line.text.size() + 1;
      lines.push_back(std::move(line));
      while (size > kMostDumped) size -= lines[first++].text.size() + 1;
      if (first > 10000) {
        lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(first));
        first = 0;
      }
    }
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(first));
    for (std::string& warning : reader.TakeWarnings()) read.warnings.push_back(std::move(warning));
  }
  read.lines = MergeByTime(std::move(lists));
  std::uint64_t size = 0;
  std::size_t first = read.lines.size();
  while (first > 0 && size + read.lines[first - 1].text.size() + 1 <= kMostDumped) {
    size += read.lines[--first].text.size() + 1;
  }
  for (std::size_t i = first; i > 0 && !(read.cut[0] && read.cut[1]); --i) {
    const LogLine& line = read.lines[i - 1];
    std::optional<LogPosition>& cut = read.cut[Index(line.stream)];
    if (!cut) cut = readers[Index(line.stream)].After(line);
  }
  read.lines.erase(read.lines.begin(), read.lines.begin() + static_cast<std::ptrdiff_t>(first));
  for (const LogLine& line : read.lines) {
    read.positions.push_back(readers[Index(line.stream)].After(line));
  }
  return read;
}

Status LogCursor::MoveBehind(const New& read, std::size_t count) {
  if (count == 0) return Ok();
  // First, as the lines are younger. A stream of which no line had room must move too: what was cut
  // of it would come with the next dump, behind younger lines.
  for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
    const std::optional<LogPosition>& cut = read.cut[Index(stream)];
    if (cut) positions_[Index(stream)] = *cut;
  }
  for (std::size_t i = 0; i < count; ++i)
    positions_[Index(read.lines[i].stream)] = read.positions[i];
  Status stored = ReplaceFileAt(directory_.get(), kCursorFile, FormatCursor(positions_), false);
  if (!stored) return stored.error().During(path_);
  return stored;
}

}  // namespace slc::ctl
