#include "daemon/master/log_files.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "daemon/master/autogroup.h"

namespace slc {
namespace {

constexpr Millis kGzipPause = 60000;
// A log that grows faster than this is not compressed while it does: its files live for moments,
// and gzip would take half a processor from those who have work.
constexpr std::uint64_t kCalmBytesPerMs = 5000;
constexpr Millis kLookAgain = 1000;

// Bytes of `rest`, which begins anywhere in a line, that go into a file with `room` bytes left:
// whole lines; 0 if not even the first fits. With `must` the first line goes in whatever its size.
std::size_t WholeLines(std::string_view rest, std::uint64_t room, bool must) {
  if (rest.size() <= room) return rest.size();
  const std::size_t last = rest.substr(0, static_cast<std::size_t>(room)).rfind('\n');
  if (last != std::string_view::npos) return last + 1;
  if (!must) return 0;
  const std::size_t first = rest.find('\n');
  return first == std::string_view::npos ? rest.size() : first + 1;
}

// The size of what a gzip file holds, as its last four bytes say (modulo 2^32); -1 if it is too
// short.
std::int64_t GzipContentSize(int fd) {
  struct stat info {};
  std::array<unsigned char, 4> tail{};
  if (::fstat(fd, &info) != 0 || info.st_size < 18) return -1;
  if (::pread(fd, tail.data(), tail.size(), info.st_size - 4) != 4) return -1;
  return std::int64_t{tail[0]} | std::int64_t{tail[1]} << 8 | std::int64_t{tail[2]} << 16 |
         std::int64_t{tail[3]} << 24;
}

}  // namespace

LogFiles::LogFiles(std::string directory) : directory_path_(std::move(directory)) {}

LogFiles::~LogFiles() {
  AbandonGzip();
  if (gzip_pidfd_ && HasEnded(gzip_pidfd_, 100)) Reap(gzip_pidfd_);
}

void LogFiles::SetLimits(std::uint64_t file_bytes, std::uint32_t files) {
  file_bytes_ = std::max<std::uint64_t>(file_bytes, 1);
  files_ = std::max(files, 2U);
}

Status LogFiles::AppendToStandardOutput(std::string_view block, std::size_t* offset) {
  while (*offset < block.size()) {
    const std::string_view rest = block.substr(*offset);
    const ssize_t put = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (put >= 0) {
      *offset += static_cast<std::size_t>(put);
    } else if (errno == EAGAIN) {
      // Whoever started us may have made it non-blocking for its own purposes.
      pollfd entry{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&entry, 1, 1000);
    } else if (errno != EINTR) {
      return SystemError("write to standard output", errno);
    }
  }
  return Ok();
}

Status LogFiles::Append(LogStream stream, std::string_view block, std::size_t* offset) {
  if (directory_path_ == kStandardOutput) return AppendToStandardOutput(block, offset);
  Current& file = Of(stream);
  if (directory_ && !DirectoryIsInPlace()) {
    AbandonGzip();
    for (Current& other : current_) other = Current{};
    directory_.reset();
  }
  if (file.fd && !FileIsInPlace(stream)) file = Current{};
  if (!file.fd) {
    if (Status opened = Open(stream); !opened) return opened;
    // What went into the old file of the line that is under way is gone with it.
    while (*offset > 0 && block[*offset - 1] != '\n') --*offset;
  }
  while (*offset < block.size()) {
    const std::string_view rest = block.substr(*offset);
    const bool within_line = *offset > 0 && block[*offset - 1] != '\n';
    const std::uint64_t room = file.size < file_bytes_ ? file_bytes_ - file.size : 0;
    const std::size_t count = WholeLines(rest, room, within_line || file.size == 0);
    if (count == 0) {
      if (Status rotated = Rotate(stream); !rotated) return rotated;
      continue;
    }
    const ssize_t put = ::write(file.fd.get(), rest.data(), count);
    if (put < 0) {
      if (errno == EINTR) continue;
      return SystemError("write " + directory_path_ + "/" + CurrentLogName(stream), errno);
    }
    *offset += static_cast<std::size_t>(put);
    file.size += static_cast<std::uint64_t>(put);
    grown_ += static_cast<std::uint64_t>(put);
  }
  return Ok();
}

Status LogFiles::OpenDirectory() {
  auto opened = OpenPrivateDirectory(directory_path_, true);
  if (!opened) return opened.error();
  directory_ = std::move(*opened);
  auto names = ListDirectory(directory_.get());
  if (!names) return Ok();
  for (const std::string& name : *names) {
    const auto rotated = ParseRotatedLogName(name);
    // Left over by a process that was killed while compressing; only one writes here at a time.
    if (rotated && rotated->temporary) ::unlinkat(directory_.get(), name.c_str(), 0);
  }
  RemoveSurplus();
  gzip_pending_ = true;
  StartGzip();
  return Ok();
}

Status LogFiles::Open(LogStream stream) {
  if (!directory_) {
    if (Status opened = OpenDirectory(); !opened) return opened;
  }
  const std::string name = CurrentLogName(stream);
  const std::string path = directory_path_ + "/" + name;
  // O_NONBLOCK: whatever stands there under this name, a pipe for example, must not stop us.
  UniqueFd fd(::openat(directory_.get(), name.c_str(),
                       O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                       0600));
  if (!fd) return SystemError("open " + path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kSystem, "open " + path + ": not a regular file"};
  }
  if (info.st_size > 0) {
    // A process that was killed while the disk was full has left half a line.
    char last = '\n';
    if (::pread(fd.get(), &last, 1, info.st_size - 1) == 1 && last != '\n') {
      if (::write(fd.get(), "\n", 1) != 1) return SystemError("write " + path, errno);
      ++info.st_size;
    }
  }
  Current& file = Of(stream);
  file.fd = std::move(fd);
  file.device = info.st_dev;
  file.inode = info.st_ino;
  file.size = static_cast<std::uint64_t>(info.st_size);
  file.opened = BootNow();
  return Ok();
}

bool LogFiles::DirectoryIsInPlace() const {
  return IsFileAt(directory_.get(), AT_FDCWD, directory_path_);
}

bool LogFiles::FileIsInPlace(LogStream stream) const {
  struct stat named {};
  const Current& file = current_[Index(stream)];
  return ::fstatat(directory_.get(), CurrentLogName(stream).c_str(), &named, AT_SYMLINK_NOFOLLOW) ==
             0 &&
         named.st_dev == file.device && named.st_ino == file.inode;
}

std::vector<RotatedLogName> LogFiles::ListRotated() const {
  std::vector<RotatedLogName> rotated;
  auto names = ListDirectory(directory_.get());
  if (!names) return rotated;
  for (const std::string& name : *names) {
    auto parsed = ParseRotatedLogName(name);
    if (parsed && !parsed->temporary) rotated.push_back(std::move(*parsed));
  }
  return rotated;
}

Status LogFiles::Rotate(LogStream stream) {
  for (const RotatedLogName& other : ListRotated()) {
    newest_stamp_ = std::max(newest_stamp_, other.time());
  }
  // Names must sort by age even when the wall clock goes back or two files fill in one millisecond.
  newest_stamp_ = std::max(WallNow(), newest_stamp_ + 1);
  RotatedLogName name;
  name.stream = stream;
  name.stamp = LogStamp(newest_stamp_);
  const std::string current = CurrentLogName(stream);
  if (::renameat(directory_.get(), current.c_str(), directory_.get(), name.FileName().c_str()) !=
          0 &&
      errno != ENOENT) {
    return SystemError("put aside " + directory_path_ + "/" + current, errno);
  }
  gzip_pending_ = true;
  const Current& full = Of(stream);
  // In a flood; it may last longer than the next file takes to fill.
  if (!IsCalm(full.size, full.opened)) AwaitCalm();
  Of(stream) = Current{};
  if (Status opened = Open(stream); !opened) return opened;
  RemoveSurplus();
  StartGzip();
  return Ok();
}

bool LogFiles::IsCalm(std::uint64_t grown, Millis since) {
  const Millis span = std::max<Millis>(BootNow() - since, 1);
  return grown <= static_cast<std::uint64_t>(span) * kCalmBytesPerMs;
}

void LogFiles::AwaitCalm() {
  flood_since_ = BootNow();
  grown_ = 0;
  gzip_not_before_ = std::max(gzip_not_before_, flood_since_ + kLookAgain);
}

void LogFiles::RemoveSurplus() {
  std::vector<RotatedLogName> rotated = ListRotated();
  std::size_t files = 0;
  for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
    if (::faccessat(directory_.get(), CurrentLogName(stream).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) ==
        0) {
      ++files;
    }
  }
  // X and X.gz side by side (a process was killed between making the one and removing the other)
  // are neighbours in the sorted list and count as one.
  const auto same = [](const RotatedLogName& a, const RotatedLogName& b) {
    return a.stream == b.stream && a.stamp == b.stamp;
  };
  std::vector<RotatedLogName> distinct = rotated;
  distinct.erase(std::unique(distinct.begin(), distinct.end(), same), distinct.end());
  while (!distinct.empty() && files + distinct.size() > files_) {
    const auto of_err = std::count_if(distinct.begin(), distinct.end(), [](const auto& name) {
      return name.stream == LogStream::kErr;
    });
    const auto of_out = static_cast<std::ptrdiff_t>(distinct.size()) - of_err;
    const LogStream loser = of_err > of_out ? LogStream::kErr : LogStream::kOut;
    const auto oldest = std::find_if(distinct.begin(), distinct.end(),
                                     [loser](const auto& name) { return name.stream == loser; });
    if (same(*oldest, gzip_source_)) AbandonGzip();
    for (const RotatedLogName& name : rotated) {
      if (same(name, *oldest)) ::unlinkat(directory_.get(), name.FileName().c_str(), 0);
    }
    distinct.erase(oldest);
  }
}

void LogFiles::Compress(bool on) {
  if (gzip_wanted_ == on) return;
  gzip_wanted_ = on;
  if (!on) {
    AbandonGzip();
  } else if (directory_) {
    gzip_pending_ = true;
    StartGzip();
  }
}

Millis LogFiles::gzip_due() const {
  return gzip_pending_ && gzip_wanted_ && directory_ && !gzip_pidfd_ ? gzip_not_before_ : -1;
}

void LogFiles::StartGzip() {
  if (gzip_due() < 0 || BootNow() < gzip_not_before_) return;
  if (flood_since_ > 0 && !IsCalm(grown_, flood_since_)) return AwaitCalm();
  flood_since_ = 0;
  // The youngest first: in a flood the oldest may be removed before gzip is through with it.
  const RotatedLogName* plain = nullptr;
  const std::vector<RotatedLogName> rotated = ListRotated();
  for (const RotatedLogName& name : rotated) {
    if (!name.compressed && (plain == nullptr || name.stamp > plain->stamp)) plain = &name;
  }
  gzip_pending_ = plain != nullptr && !gzip_missing_;
  if (!gzip_pending_) return;
  gzip_source_ = *plain;
  RotatedLogName target = *plain;
  target.compressed = true;
  target.temporary = true;
  UniqueFd input(::openat(directory_.get(), gzip_source_.FileName().c_str(),
                          O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  UniqueFd output(::openat(directory_.get(), target.FileName().c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  gzip_not_before_ = BootNow() + kGzipPause;
  if (!input || !output) return;
  const char* path = std::getenv("PATH");
  auto program = gzip_.empty() ? FindProgram("gzip", path != nullptr ? path : "/usr/bin:/bin")
                               : Result<std::string>(gzip_);
  SpawnOptions options;
  options.arguments = {"gzip", "-c"};
  options.descriptors = {{input.get(), 0}, {output.get(), 1}};
  if (program) options.program = *program;
  auto spawned = program ? Spawn(options) : Result<Spawned>(program.error());
  if (!spawned) {
    ::unlinkat(directory_.get(), target.FileName().c_str(), 0);
    if (spawned.error().code == ErrorCode::kNotFound) {
      gzip_missing_ = true;
      gzip_pending_ = false;
      note_ = "there is no gzip here: old log files stay as they are";
    }
    return;
  }
  gzip_pidfd_ = std::move(spawned->pidfd);
  gzip_pid_ = static_cast<pid_t>(spawned->identity.pid);
  gzip_not_before_ = 0;
  // It is to get time that nobody else wants. Where the CPUs are shared among sessions both count
  // within its own only, so that is put behind the others as far as it goes, too.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(gzip_pid_), 19);
  static_cast<void>(WriteAutogroupNice(gzip_pid_, 19));
  const sched_param none{};
  ::sched_setscheduler(gzip_pid_, SCHED_IDLE, &none);
}

void LogFiles::Tend() {
  if (!gzip_pidfd_) {
    StartGzip();
    return;
  }
  if (!HasEnded(gzip_pidfd_, 0)) return;
  // Where somebody else has reaped it the status is unknown; the content then has to speak.
  const int status = Reap(gzip_pidfd_).value_or(0);
  gzip_pidfd_.reset();
  if (!std::exchange(gzip_abandoned_, false)) FinishGzip(status == 0);
  StartGzip();
}

void LogFiles::FinishGzip(bool success) {
  const std::string source = gzip_source_.FileName();
  RotatedLogName target = gzip_source_;
  target.compressed = true;
  const std::string final_name = target.FileName();
  target.temporary = true;
  const std::string temporary = target.FileName();
  const UniqueFd made(
      ::openat(directory_.get(), temporary.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  struct stat before {};
  success = success && made &&
            ::fstatat(directory_.get(), source.c_str(), &before, AT_SYMLINK_NOFOLLOW) == 0 &&
            GzipContentSize(made.get()) == (before.st_size & 0xffffffff);
  if (success) {
    const timespec times[2] = {before.st_atim, before.st_mtim};
    ::futimens(made.get(), times);
    success =
        ::renameat(directory_.get(), temporary.c_str(), directory_.get(), final_name.c_str()) == 0;
  }
  if (success) {
    ::unlinkat(directory_.get(), source.c_str(), 0);
    return;
  }
  ::unlinkat(directory_.get(), temporary.c_str(), 0);
  gzip_not_before_ = BootNow() + kGzipPause;
}

void LogFiles::AbandonGzip() {
  if (!gzip_pidfd_ || gzip_abandoned_) return;
  // To die it needs time like everybody. It is not waited for: on a busy machine that may be long.
  const sched_param none{};
  ::sched_setscheduler(gzip_pid_, SCHED_OTHER, &none);
  SignalProcess(gzip_pidfd_, SIGKILL);
  gzip_abandoned_ = true;
  RotatedLogName target = gzip_source_;
  target.compressed = true;
  target.temporary = true;
  ::unlinkat(directory_.get(), target.FileName().c_str(), 0);
}

}  // namespace slc
