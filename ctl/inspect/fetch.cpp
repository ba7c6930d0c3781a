#include "ctl/inspect/fetch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string_view>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/wire/result_stream.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/progress.h"

namespace slc::ctl {
namespace {

// How often it is looked whether somebody wants us to end, and the terminal gets a new line.
constexpr Millis kTurn = 250;
constexpr Millis kProgressAfter = 1000;

std::string SoFar(const ResultReader& reader) {
  return reader.size() == 0 ? "before anything had come"
                            : "after " + FormatBytes(reader.size()) + " had come";
}

Status Outcome(const ResultReader& reader) {
  switch (reader.state()) {
    case ResultReader::State::kWhole:
      return Ok();
    case ResultReader::State::kFailed:
      return Error{ErrorCode::kSystem, "the worker could not make it: " + reader.reason()};
    case ResultReader::State::kBroken:
      return Error{ErrorCode::kProtocol, "what the worker sent is no result: " + reader.reason()};
    case ResultReader::State::kGoesOn:
      break;
  }
  return Error{ErrorCode::kUnreachable, "the worker ended, or gave up, " + SoFar(reader) +
                                            "; slc why tells of workers that ended"};
}

Error Interrupted(const ResultReader& reader) {
  return Error{ErrorCode::kCancelled, "interrupted " + SoFar(reader)};
}

// Gives what comes to `keep`, until the result is whole.
Status Fetch(const StreamSource& stream, const FetchHow& how, const InterruptGuard& guard,
             const std::function<Status(std::string_view)>& keep) {
  ProgressLine line(!how.quiet && IsTerminal(STDERR_FILENO));
  const Millis began = BootNow();
  Millis heard = began;
  Millis waited = 0;  // that we were stopped for a while is no fault of the worker's
  bool last_look = false;
  ResultReader reader;
  while (reader.state() == ResultReader::State::kGoesOn) {
    if (guard.pressed()) return Interrupted(reader);
    const Millis now = BootNow();
    if (waited > how.patience &&
        reader.size() < static_cast<std::uint64_t>((waited - how.patience) / 1000) * how.slowest) {
      return Error{ErrorCode::kTimeout,
                   "it comes too slowly: " + SoFar(reader) + " within " + FormatSpan(waited)};
    }
    if (line.enabled() && now - began >= kProgressAfter) {
      line.Show(how.doing + ": " + FormatBytes(reader.size()) + " (" + FormatSpan(now - began) +
                ")");
    }
    auto came = stream(kTurn);
    waited += std::min(kTurn, BootNow() - now);
    if (!came) return came.error().During(SoFar(reader));
    if (!*came) {
      if (BootNow() - heard < how.patience) continue;
      // We may have been stopped, or the machine asleep, while the bytes lay there.
      if (!std::exchange(last_look, true)) continue;
      return Error{ErrorCode::kTimeout, "nothing has come for " + FormatSpan(how.patience) + ", " +
                                            SoFar(reader) +
                                            "; a worker with a large heap needs longer: --timeout"};
    }
    if ((*came)->empty()) break;
    std::string_view bytes = **came;
    while (!bytes.empty()) {
      const std::string_view part = reader.Take(bytes);
      if (part.empty()) continue;
      if (reader.size() > how.most) {
        return Error{ErrorCode::kProtocol, "it is longer than " + FormatBytes(how.most)};
      }
      if (Status kept = keep(part); !kept) return kept;
    }
    heard = BootNow();
    last_look = false;
  }
  return Outcome(reader);
}

// Ends as a file of that name, or as none.
class FileInTheMaking {
 public:
  explicit FileInTheMaking(const std::string& path) : path_(path), making_(BesideOf(path)) {}
  ~FileInTheMaking() {
    if (file_) ::unlink(making_.c_str());
  }
  FileInTheMaking(const FileInTheMaking&) = delete;
  FileInTheMaking& operator=(const FileInTheMaking&) = delete;

  Status Check() const {
    struct stat there {};
    if (::stat(path_.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) {
      return Error{ErrorCode::kInvalid, path_ + " is a folder; give the file another name"};
    }
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    if (::access(folder.c_str(), W_OK | X_OK) != 0) return SystemError("write to " + folder, errno);
    if (::lstat(making_.c_str(), &there) != 0 && errno != ENOENT) {
      return SystemError("make " + making_, errno);
    }
    return Ok();
  }
  Status Open() {
    if (Status can = Check(); !can) return can;
    struct stat there {};
    Create();
    // Of a slc of our pid that was killed: in a container pids come again soon.
    const bool left = !file_ && errno == EEXIST && ::lstat(making_.c_str(), &there) == 0 &&
                      S_ISREG(there.st_mode) && there.st_uid == ::geteuid();
    if (left && ::unlink(making_.c_str()) == 0) Create();
    return file_ ? Ok() : Status(SystemError("make " + making_, errno));
  }
  Status Write(std::string_view bytes) {
    constexpr std::uint64_t kSmall = 256ULL << 20;
    constexpr std::uint64_t kLookEvery = 16ULL << 20;
    Status written = WriteAll(file_.get(), bytes);
    size_ += bytes.size();
    if (written && size_ > kSmall && size_ >= looked_at_ + kLookEvery) {
      looked_at_ = size_;
      written = LeavesRoom();
    }
    return written ? written : written.error().During("write " + making_);
  }
  Status Finish(const InterruptGuard& guard) {
    // A disk over the network may say only now that it is full.
    const int fd = file_.get();
    if (::fsync(fd) != 0 && errno != EINVAL) return SystemError("write " + making_, errno);
    if (guard.pressed()) return Error{ErrorCode::kCancelled, "interrupted at its end"};
    if (::rename(making_.c_str(), path_.c_str()) != 0) {
      return SystemError("rename " + making_ + " to " + path_, errno);
    }
    file_.reset();
    return Ok();
  }

 private:
  Status LeavesRoom() const {
    constexpr std::uint64_t kPart = 20;
    struct statvfs disk {};
    if (::fstatvfs(file_.get(), &disk) != 0 || disk.f_bavail >= disk.f_blocks / kPart) return Ok();
    return Error{ErrorCode::kSystem, "the disk has less than a twentieth left after " +
                                         FormatBytes(size_) + "; write it to another"};
  }
  void Create() {
    file_.reset(
        ::open(making_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  }
  static std::string BesideOf(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
    return path.substr(0, name) + "." + path.substr(name) + "." + std::to_string(::getpid()) +
           ".part";
  }

  std::string path_;
  std::string making_;
  UniqueFd file_;
  std::uint64_t size_ = 0;
  std::uint64_t looked_at_ = 0;
};

}  // namespace

Status CanFetchTo(const std::string& path) { return FileInTheMaking(path).Check(); }

Result<std::uint64_t> FetchFile(const StreamSource& stream, const std::string& path,
                                const FetchHow& how) {
  // Around all of it: half a file must not be left by a signal at its beginning or end either.
  const InterruptGuard guard(true, InterruptGuard::Extent::kAllEnds);
  FileInTheMaking file(path);
  if (Status made = file.Open(); !made) return made.error();
  std::uint64_t size = 0;
  Status fetched = Fetch(stream, how, guard, [&](std::string_view part) {
    size += part.size();
    return file.Write(part);
  });
  if (!fetched) return fetched.error();
  if (Status finished = file.Finish(guard); !finished) return finished.error();
  return size;
}

Result<std::string> FetchText(const StreamSource& stream, std::size_t limit, const FetchHow& how) {
  const InterruptGuard guard(true, InterruptGuard::Extent::kAllEnds);
  std::string text;
  Status fetched = Fetch(stream, how, guard, [&](std::string_view part) -> Status {
    if (text.size() + part.size() > limit) {
      return Error{ErrorCode::kProtocol, "it is longer than " + FormatBytes(limit)};
    }
    text += part;
    return Ok();
  });
  if (!fetched) return fetched.error();
  return text;
}

}  // namespace slc::ctl
