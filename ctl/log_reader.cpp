#include "ctl/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/crc32c.h"
#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kReadBytes = 64U << 10;
constexpr std::size_t kFingerprintBytes = 256;
constexpr std::string_view kJsonStart = R"({"time":")";
constexpr std::size_t kStampSize = 24;

RotatedLogName NameOf(LogStream stream, const std::string& stamp, bool compressed) {
  RotatedLogName name;
  name.stream = stream;
  name.stamp = stamp;
  name.compressed = compressed;
  return name;
}

Millis TimeOf(const std::string& stamp) {
  return stamp.empty() ? 0 : NameOf(LogStream::kOut, stamp, false).time();
}

// Takes `prefix` and a number from the front of `text`.
std::optional<std::int64_t> TakeNumber(std::string_view* text, std::string_view prefix) {
  if (!StartsWith(*text, prefix)) return std::nullopt;
  const std::string_view rest = text->substr(prefix.size());
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (code != std::errc{}) return std::nullopt;
  *text = rest.substr(static_cast<std::size_t>(end - rest.data()));
  return value;
}

}  // namespace

// --- Lines ---

Millis StampParser::Parse(std::string_view line) {
  constexpr std::size_t kMinuteSize = 17;  // "2026-11-22T17:16:"
  if (StartsWith(line, kJsonStart)) line.remove_prefix(kJsonStart.size());
  if (line.size() < kStampSize || line[10] != 'T' || line[19] != '.' || line[23] != 'Z') return -1;
  if (line.size() > kStampSize && line[kStampSize] != ' ' && line[kStampSize] != '"') return -1;
  const auto digit = [line](std::size_t at) {
    return line[at] >= '0' && line[at] <= '9' ? line[at] - '0' : 100000;
  };
  const Millis within =
      (digit(17) * 10 + digit(18)) * 1000 + digit(20) * 100 + digit(21) * 10 + digit(22);
  if (within >= 61000) return -1;
  if (line.substr(0, kMinuteSize) != minute_) {
    const Millis start = ParseIso(std::string(line.substr(0, kMinuteSize - 1)));
    if (start < 0) return -1;
    minute_ = std::string(line.substr(0, kMinuteSize));
    minute_start_ = start;
  }
  return minute_start_ + within;
}

LogFields ParseLogLine(const std::string& line) {
  LogFields fields;
  StampParser stamps;
  const Millis time = stamps.Parse(line);
  fields.text = line;
  if (time < 0) return fields;
  if (StartsWith(line, kJsonStart)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) return fields;
    fields.time = time;
    fields.text = json["text"].get<std::string>();
    const auto number = [&json](const char* name) -> std::optional<std::int64_t> {
      const auto found = json.find(name);
      if (found == json.end() || !found->is_number_integer()) return std::nullopt;
      return found->get<std::int64_t>();
    };
    fields.pid = number("pid");
    if (const auto worker = number("worker")) fields.worker = static_cast<WorkerId>(*worker);
    return fields;
  }
  std::string_view rest = std::string_view(line).substr(kStampSize);
  const auto pid = TakeNumber(&rest, " pid:");
  const auto worker = pid ? TakeNumber(&rest, " worker:") : std::nullopt;
  if (!worker) return fields;
  fields.time = time;
  fields.pid = pid;
  fields.worker = static_cast<WorkerId>(*worker);
  fields.text = std::string(StartsWith(rest, " ") ? rest.substr(1) : rest);
  return fields;
}

std::vector<LogLine> MergeByTime(std::vector<std::vector<LogLine>> lists) {
  std::vector<LogLine> merged;
  std::vector<std::size_t> heads(lists.size(), 0);
  while (true) {
    std::size_t first = lists.size();
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (heads[i] == lists[i].size()) continue;
      if (first == lists.size() || lists[i][heads[i]].time < lists[first][heads[first]].time) {
        first = i;
      }
    }
    if (first == lists.size()) return merged;
    merged.push_back(std::move(lists[first][heads[first]++]));
  }
}

// --- Bytes of one file ---

class LogFileBytes {
 public:
  // nullptr if there is no such file, or, with a warning, if it cannot be read.
  static std::unique_ptr<LogFileBytes> OpenAt(int directory, const std::string& name,
                                              bool compressed, std::vector<std::string>* warnings) {
    UniqueFd fd(::openat(directory, name.c_str(),
                         O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
    struct stat info {};
    if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))) {
      fd.reset();
      errno = EINVAL;
    }
    if (!fd) {
      if (errno != ENOENT) warnings->push_back(SystemError("open " + name, errno).message);
      return nullptr;
    }
    auto bytes = std::unique_ptr<LogFileBytes>(new LogFileBytes);
    bytes->fd_ = std::move(fd);
    bytes->compressed_ = compressed;
    bytes->device_ = info.st_dev;
    bytes->inode_ = info.st_ino;
    bytes->changed_ = Millis{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1000000;
    bytes->name_ = name;
    return bytes;
  }

  ~LogFileBytes() {
    // gzip dies of the broken pipe if it was not read to the end.
    pipe_.reset();
    if (gzip_ && HasEnded(gzip_, 1000)) Reap(gzip_);
  }
  LogFileBytes(const LogFileBytes&) = delete;
  LogFileBytes& operator=(const LogFileBytes&) = delete;

  // As read(2); 0 at the end (for now). After -1, and at a premature end, failure() says why.
  ssize_t Read(char* to, std::size_t size) {
    if (compressed_ && !pipe_ && !StartGzip()) return -1;
    while (true) {
      const ssize_t got = compressed_ ? ::read(pipe_.get(), to, size)
                                      : ::pread(fd_.get(), to, size, static_cast<off_t>(position_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) failure_ = SystemError("read " + name_, errno).message;
      if (got == 0 && compressed_ && position_ != this->size()) failure_ = name_ + " is damaged";
      if (got > 0) position_ += static_cast<std::uint64_t>(got);
      return got;
    }
  }

  std::string TakeFailure() { return std::exchange(failure_, {}); }

  // Puts the next Read() at `offset`; forward only in a compressed file. False: it is not that
  // long.
  bool MoveTo(std::uint64_t offset) {
    if (!compressed_) {
      position_ = offset;
      return true;
    }
    std::string waste(kReadBytes, '\0');
    while (position_ < offset) {
      const std::uint64_t left = offset - position_;
      if (Read(waste.data(),
               static_cast<std::size_t>(std::min<std::uint64_t>(left, waste.size()))) <= 0) {
        return false;
      }
    }
    return position_ == offset;
  }

  // Uncompressed, now.
  std::uint64_t size() const {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return 0;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (!compressed_) return size;
    // The last four bytes of a gzip file say how large its content is.
    unsigned char tail[4] = {};
    if (size < 18 || ::pread(fd_.get(), tail, 4, info.st_size - 4) != 4) return 0;
    return tail[0] | std::uint64_t{tail[1]} << 8 | std::uint64_t{tail[2]} << 16 |
           std::uint64_t{tail[3]} << 24;
  }

  bool Is(const struct stat& info) const { return info.st_dev == device_ && info.st_ino == inode_; }
  bool compressed() const { return compressed_; }
  std::uint64_t inode() const { return inode_; }
  Millis changed() const { return changed_; }

 private:
  LogFileBytes() = default;

  bool StartGzip() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      failure_ = SystemError("read " + name_, errno).message;
      return false;
    }
    const UniqueFd output(ends[1]);
    UniqueFd input(ends[0]);
    const char* path = std::getenv("PATH");
    auto program = FindProgram("gzip", path != nullptr ? path : "/usr/bin:/bin");
    SpawnOptions options;
    options.arguments = {"gzip", "-dc"};
    options.descriptors = {{fd_.get(), 0}, {output.get(), 1}};
    options.new_session = false;
    if (program) options.program = *program;
    auto spawned = program ? Spawn(options) : Result<Spawned>(program.error());
    if (!spawned) {
      failure_ = spawned.error().During("read " + name_).message;
      return false;
    }
    pipe_ = std::move(input);
    gzip_ = std::move(spawned->pidfd);
    return true;
  }

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

// --- One stream ---

LogStreamReader::LogStreamReader(std::string directory, LogStream stream)
    : path_(std::move(directory)), stream_(stream) {}
LogStreamReader::~LogStreamReader() = default;
LogStreamReader::LogStreamReader(LogStreamReader&&) noexcept = default;

Result<bool> LogStreamReader::OpenDirectory() {
  if (directory_) return true;
  directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (directory_) return true;
  if (errno == ENOENT) return false;
  return SystemError("open directory " + path_, errno);
}

bool LogStreamReader::DirectoryIsInPlace() const {
  struct stat ours {};
  struct stat named {};
  return ::fstat(directory_.get(), &ours) == 0 && ::lstat(path_.c_str(), &named) == 0 &&
         ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

// Of files put aside, oldest first.
std::vector<std::string> LogStreamReader::StampsAfter(const std::string& after) const {
  std::vector<std::string> stamps;
  auto names = ListDirectory(directory_.get());
  if (!names) return stamps;
  for (const std::string& name : *names) {
    const auto parsed = ParseRotatedLogName(name);
    if (!parsed || parsed->temporary || parsed->stream != stream_ || parsed->stamp <= after)
      continue;
    // X and X.gz are neighbours.
    if (stamps.empty() || stamps.back() != parsed->stamp) stamps.push_back(parsed->stamp);
  }
  return stamps;
}

// nullptr if the file is gone.
std::unique_ptr<LogFileBytes> LogStreamReader::Open(const std::string& stamp) {
  if (stamp.empty()) {
    return LogFileBytes::OpenAt(directory_.get(), CurrentLogName(stream_), false, &warnings_);
  }
  auto plain = LogFileBytes::OpenAt(directory_.get(), NameOf(stream_, stamp, false).FileName(),
                                    false, &warnings_);
  if (plain) return plain;
  return LogFileBytes::OpenAt(directory_.get(), NameOf(stream_, stamp, true).FileName(), true,
                              &warnings_);
}

Status LogStreamReader::StartAtEnd() {
  auto opened = OpenDirectory();
  if (!opened) return opened.error();
  if (!*opened) return Ok();
  auto current = Open("");
  std::vector<std::string> stamps = StampsAfter("");
  if (current && !stamps.empty()) {
    // Put aside between the two calls above: it still is what we read first.
    const auto newest = Open(stamps.back());
    if (newest && newest->inode() == current->inode()) stamps.pop_back();
  }
  if (!stamps.empty()) after_ = stamps.back();
  if (!current) return Ok();
  // Behind the last whole line.
  std::uint64_t end = current->size();
  std::string window;
  while (end > 0) {
    const std::uint64_t start = end > kReadBytes ? end - kReadBytes : 0;
    window.resize(static_cast<std::size_t>(end - start));
    current->MoveTo(start);
    const ssize_t got = current->Read(window.data(), window.size());
    const std::size_t newline =
        got <= 0 ? std::string::npos
                 : std::string_view(window).substr(0, static_cast<std::size_t>(got)).rfind('\n');
    end = newline == std::string::npos ? start : start + newline + 1;
    if (newline != std::string::npos) break;
  }
  Begin(std::move(current), Candidate{"", end, false});
  return Ok();
}

Status LogStreamReader::StartAt(Millis since) {
  auto opened = OpenDirectory();
  if (!opened) return opened.error();
  if (!*opened) return Ok();
  for (const std::string& stamp : StampsAfter("")) {
    // No line in it is younger than the moment it was put aside.
    if (TimeOf(stamp) < since) {
      after_ = stamp;
    } else {
      pending_.push_back(Candidate{stamp, 0, false});
    }
  }
  if (pending_.empty()) OpenNext();
  return Ok();
}

Status LogStreamReader::StartAfter(const LogPosition& position, std::uint64_t most) {
  auto opened = OpenDirectory();
  if (!opened) return opened.error();
  if (!*opened) return Ok();
  auto current = Open("");
  std::vector<Candidate> files;
  for (const std::string& stamp : StampsAfter(position.after)) {
    files.push_back(Candidate{stamp, 0, false});
  }
  // The file that was being read then, by its inode or, since compressing makes a new one, by its
  // place.
  std::size_t first = files.size();
  bool current_was_put_aside = false;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto bytes = Open(files[i].stamp);
    if (!bytes) continue;
    if (current && bytes->inode() == current->inode()) current_was_put_aside = true;
    const bool candidate = bytes->compressed() ? i == 0 : bytes->inode() == position.inode;
    if (first == files.size() && candidate && Matches(*bytes, position)) first = i;
  }
  if (current_was_put_aside) current.reset();
  std::uint64_t current_offset = 0;
  if (first < files.size()) {
    files[first].offset = position.offset;
  } else if (current && current->inode() == position.inode && Matches(*current, position)) {
    current_offset = position.offset;
  } else {
    // It is gone, or this is the first time: all that is younger is new.
    first = 0;
  }
  after_ = first > 0 ? files[first - 1].stamp : position.after;
  files.erase(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(first));
  files.push_back(Candidate{"", current_offset, false});
  KeepLast(&files, current.get(), most);
  const Candidate last = files.back();
  files.pop_back();
  pending_ = std::move(files);
  if (pending_.empty() && current) Begin(std::move(current), last);
  return Ok();
}

// Forgets files at the front, and the front of the first one left, that are not among the last
// `most` bytes.
void LogStreamReader::KeepLast(std::vector<Candidate>* files, const LogFileBytes* current,
                               std::uint64_t most) {
  std::uint64_t kept = 0;
  for (std::size_t i = files->size(); i-- > 0;) {
    Candidate& file = (*files)[i];
    std::unique_ptr<LogFileBytes> opened;
    const LogFileBytes* bytes = current;
    if (!file.stamp.empty()) {
      opened = Open(file.stamp);
      bytes = opened.get();
    }
    const std::uint64_t size = bytes != nullptr ? bytes->size() : 0;
    const std::uint64_t part = size > file.offset ? size - file.offset : 0;
    if (kept + part >= most) {
      if (!bytes->compressed() && kept + part > most) {
        file.offset = size - (most - kept);
        file.within_line = true;
      }
      if (i > 0) after_ = (*files)[i - 1].stamp;
      files->erase(files->begin(), files->begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
    kept += part;
  }
}

// Whether the bytes before the position are those that stood there.
bool LogStreamReader::Matches(LogFileBytes& bytes, const LogPosition& position) const {
  if (position.offset == 0) return !bytes.compressed();
  if (position.length == 0 || position.length > kFingerprintBytes ||
      position.length > position.offset || bytes.size() < position.offset) {
    return false;
  }
  if (!bytes.MoveTo(position.offset - position.length)) return false;
  std::string found(position.length, '\0');
  std::size_t used = 0;
  while (used < found.size()) {
    const ssize_t got = bytes.Read(found.data() + used, found.size() - used);
    if (got <= 0) return false;
    used += static_cast<std::size_t>(got);
  }
  return Crc32c(found) == position.checksum;
}

void LogStreamReader::Begin(std::unique_ptr<LogFileBytes> bytes, const Candidate& candidate) {
  bytes_ = std::move(bytes);
  stamp_ = candidate.stamp;
  // One byte earlier shows whether the offset is within a line.
  const bool look_back = candidate.within_line && candidate.offset > 0;
  offset_ = look_back ? candidate.offset - 1 : candidate.offset;
  skip_line_ = look_back;
  bytes_->MoveTo(offset_);
  buffer_.clear();
  begin_ = 0;
  searched_ = 0;
  files_.push_back(FileId{after_, bytes_->inode()});
  if (!std::exchange(stamped_, false)) {
    time_ = TimeOf(after_);
    latest_ = stamp_.empty() ? bytes_->changed() : TimeOf(stamp_);
  }
}

bool LogStreamReader::OpenNext() {
  if (!directory_) {
    auto opened = OpenDirectory();
    if (!opened) warnings_.push_back(opened.error().message);
    if (!opened || !*opened) return false;
  }
  while (true) {
    if (pending_.empty()) {
      auto current = Open("");
      const std::vector<std::string> stamps = StampsAfter(after_);
      if (stamps.empty()) {
        if (!current) return false;
        Begin(std::move(current), Candidate{});
        return true;
      }
      for (const std::string& stamp : stamps) pending_.push_back(Candidate{stamp, 0, false});
    }
    const Candidate next = pending_.front();
    pending_.erase(pending_.begin());
    if (auto bytes = Open(next.stamp)) {
      Begin(std::move(bytes), next);
      return true;
    }
    // Removed, to keep within the limit.
    after_ = next.stamp;
  }
}

bool LogStreamReader::Fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  const ssize_t got = bytes_->Read(buffer_.data() + size, kReadBytes);
  if (std::string failure = bytes_->TakeFailure(); !failure.empty()) {
    warnings_.push_back(path_ + ": " + failure);
  }
  buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

void LogStreamReader::Describe(LogLine* line, std::string_view text, bool ended) {
  const Millis stamp = stamps_.Parse(text);
  if (stamp >= 0) {
    time_ = stamp;
    latest_ = stamp;
    stamped_ = true;
  }
  line->text.assign(text);
  line->time = time_;
  line->latest = latest_;
  line->stream = stream_;
  line->ended = ended;
  line->end = offset_;
  line->file = static_cast<std::uint32_t>(files_.size() - 1);
}

bool LogStreamReader::TakeLine(LogLine* line) {
  while (true) {
    const std::size_t newline = buffer_.find('\n', searched_);
    if (newline == std::string::npos) {
      searched_ = buffer_.size();
      return false;
    }
    const std::string_view text = std::string_view(buffer_).substr(begin_, newline - begin_);
    offset_ += text.size() + 1;
    begin_ = newline + 1;
    searched_ = begin_;
    if (std::exchange(skip_line_, false)) continue;
    Describe(line, text, true);
    return true;
  }
}

void LogStreamReader::TakeRest(LogLine* line) {
  const std::string_view text = std::string_view(buffer_).substr(begin_);
  offset_ += text.size();
  begin_ = buffer_.size();
  searched_ = begin_;
  Describe(line, text, false);
}

bool LogStreamReader::CurrentIsInPlace() const {
  struct stat named {};
  return DirectoryIsInPlace() &&
         ::fstatat(directory_.get(), CurrentLogName(stream_).c_str(), &named,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
         bytes_->Is(named);
}

bool LogStreamReader::CurrentWasCut() const {
  return bytes_->size() < offset_ + (buffer_.size() - begin_);
}

bool LogStreamReader::Next(LogLine* line) {
  while (true) {
    if (!bytes_ && !OpenNext()) return false;
    if (TakeLine(line)) return true;
    if (Fill()) continue;
    const bool complete = !stamp_.empty() || !CurrentIsInPlace();
    if (!complete) {
      if (!CurrentWasCut()) return false;
      // Somebody emptied it to make room: what is in it now is new.
      Begin(std::move(bytes_), Candidate{});
      continue;
    }
    // Nothing is added to a file once it has lost its name, but it may have been before we looked.
    if (stamp_.empty() && Fill()) continue;
    if (begin_ < buffer_.size() && !skip_line_) {
      TakeRest(line);
      return true;
    }
    if (stamp_.empty()) {
      LeaveCurrent();
    } else {
      after_ = stamp_;
      bytes_.reset();
    }
  }
}

// The current file was read to its end and is not the current one any more: finds out which of the
// files put aside it is, so as not to read it again.
void LogStreamReader::LeaveCurrent() {
  LogPosition position;
  position.inode = bytes_->inode();
  position.offset = offset_;
  position.length = static_cast<std::uint32_t>(std::min<std::uint64_t>(offset_, kFingerprintBytes));
  std::string tail(position.length, '\0');
  bytes_->MoveTo(offset_ - position.length);
  if (bytes_->Read(tail.data(), tail.size()) == static_cast<ssize_t>(tail.size())) {
    position.checksum = Crc32c(tail);
  }
  // While it is open nobody else can get its inode.
  const std::unique_ptr<LogFileBytes> left = std::move(bytes_);
  if (!DirectoryIsInPlace()) {
    directory_.reset();
    after_.clear();
    return;
  }
  const std::vector<std::string> stamps = StampsAfter(after_);
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    const auto bytes = Open(stamps[i]);
    if (!bytes) continue;
    if (bytes->compressed() ? i == 0 && position.offset > 0 && Matches(*bytes, position)
                            : bytes->inode() == position.inode) {
      after_ = stamps[i];
      return;
    }
  }
}

LogPosition LogStreamReader::After(const LogLine& line) const {
  std::string tail = line.text;
  if (line.ended) tail += '\n';
  if (tail.size() > kFingerprintBytes) tail.erase(0, tail.size() - kFingerprintBytes);
  LogPosition position;
  position.after = files_[line.file].after;
  position.inode = files_[line.file].inode;
  position.offset = line.end;
  position.length = static_cast<std::uint32_t>(tail.size());
  position.checksum = Crc32c(tail);
  return position;
}

std::vector<LogLine> LogStreamReader::Last(std::size_t count, Millis since, const Wanted& wanted) {
  std::vector<std::vector<LogLine>> parts;  // newest first
  std::size_t have = 0;
  if (count == 0) return {};
  const auto add = [&](LogFileBytes& bytes, std::uint64_t size, const std::string& after) {
    parts.push_back(LastOfFile(bytes, size, after, count - have, since, wanted));
    have += parts.back().size();
    if (std::string failure = bytes.TakeFailure(); !failure.empty()) {
      warnings_.push_back(path_ + ": " + failure);
    }
  };
  if (bytes_) {
    add(*bytes_, offset_, after_);
    bytes_->MoveTo(offset_);
  }
  if (!after_.empty()) {
    std::vector<std::string> stamps = StampsAfter("");
    while (!stamps.empty() && stamps.back() > after_) stamps.pop_back();
    while (!stamps.empty() && have < count && TimeOf(stamps.back()) >= since) {
      const std::string stamp = stamps.back();
      stamps.pop_back();
      if (const auto bytes = Open(stamp)) {
        add(*bytes, bytes->size(), stamps.empty() ? std::string() : stamps.back());
      }
    }
  }
  std::vector<LogLine> lines;
  for (std::size_t i = parts.size(); i-- > 0;) {
    std::move(parts[i].begin(), parts[i].end(), std::back_inserter(lines));
  }
  return lines;
}

// The last wanted lines within the first `size` bytes. Looks at a larger and larger part of the
// file's end: until there are enough lines, it reaches what is too old, or it is the whole file.
std::vector<LogLine> LogStreamReader::LastOfFile(LogFileBytes& bytes, std::uint64_t size,
                                                 const std::string& after, std::size_t count,
                                                 Millis since, const Wanted& wanted) {
  std::uint64_t window = bytes.compressed() ? size : 4 * kReadBytes;
  while (true) {
    const std::uint64_t start = size > window ? size - window : 0;
    std::deque<LogLine> lines;
    StampParser stamps;
    Millis time = TimeOf(after);
    Millis latest = bytes.changed();
    bool known = start == 0;  // how the lines before the first stamp are to be dated
    bool skip = start > 0;
    bool enough = start == 0;
    std::string buffer;
    std::uint64_t left = size - start;
    bytes.MoveTo(start);
    const auto take = [&](std::string_view text) {
      const Millis stamp = stamps.Parse(text);
      if (stamp >= 0) {
        if (!known && stamp < since) enough = true;
        time = stamp;
        latest = stamp;
        known = true;
      }
      if (!known || latest < since) return;
      LogLine line;
      line.text.assign(text);
      line.time = time;
      line.latest = latest;
      line.stream = stream_;
      if (!wanted(line)) return;
      lines.push_back(std::move(line));
      if (lines.size() > count) lines.pop_front();
    };
    while (left > 0) {
      const std::size_t old = buffer.size();
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadBytes));
      buffer.resize(old + want);
      const ssize_t got = bytes.Read(buffer.data() + old, want);
      buffer.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got <= 0) break;
      left -= static_cast<std::uint64_t>(got);
      std::size_t begin = 0;
      std::size_t newline = buffer.find('\n', old);
      while (newline != std::string::npos) {
        if (!std::exchange(skip, false))
          take(std::string_view(buffer).substr(begin, newline - begin));
        begin = newline + 1;
        newline = buffer.find('\n', begin);
      }
      buffer.erase(0, begin);
    }
    if (!buffer.empty() && !skip) take(buffer);
    if (enough || lines.size() >= count) {
      return {std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end())};
    }
    window *= 4;
  }
}

// --- Waiting ---

LogWatch::LogWatch(std::vector<std::string> directories)
    : directories_(std::move(directories)),
      watches_(directories_.size(), -1),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  AddMissing();
}

LogWatch::~LogWatch() = default;

void LogWatch::AddMissing() {
  if (!inotify_) return;
  for (std::size_t i = 0; i < directories_.size(); ++i) {
    if (watches_[i] >= 0) continue;
    watches_[i] = ::inotify_add_watch(
        inotify_.get(), directories_[i].c_str(),
        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR);
  }
}

LogWatch::Outcome LogWatch::Wait(int out_fd) {
  AddMissing();
  pollfd entries[2] = {{inotify_.get(), POLLIN, 0}, {out_fd, 0, 0}};
  const int ready = ::poll(entries, 2, 1000);
  if (ready < 0 && errno == EINTR) return Outcome::kInterrupted;
  if ((entries[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return Outcome::kHungUp;
  alignas(inotify_event) char buffer[4096];
  ssize_t got = 0;
  while (inotify_ && (got = ::read(inotify_.get(), buffer, sizeof buffer)) > 0) {
    for (const char* at = buffer; at < buffer + got;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      at += sizeof event + event.len;
      if ((event.mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) == 0) continue;
      // The directory of that name is another one now, or will be.
      const auto watch = std::find(watches_.begin(), watches_.end(), event.wd);
      if (watch == watches_.end()) continue;
      if ((event.mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(inotify_.get(), event.wd);
      *watch = -1;
    }
  }
  return Outcome::kChanged;
}

}  // namespace slc::ctl
