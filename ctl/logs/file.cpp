#include "ctl/logs/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/process.h"
#include "common/base/spawn.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kSkipBytes = 64U << 10;

}  // namespace

std::unique_ptr<LogFile> LogFile::OpenAt(int directory, const std::string& name, bool compressed,
                                         std::vector<std::string>* warnings) {
  UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  struct stat info {};
  if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))) {
    fd.reset();
    errno = EINVAL;
  }
  if (!fd) {
    if (errno != ENOENT) warnings->push_back(SystemError("open " + name, errno).message);
    return nullptr;
  }
  auto file = std::unique_ptr<LogFile>(new LogFile);
  file->fd_ = std::move(fd);
  file->compressed_ = compressed;
  file->device_ = info.st_dev;
  file->inode_ = info.st_ino;
  file->changed_ = Millis{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1000000;
  file->name_ = name;
  return file;
}

LogFile::~LogFile() {
  // gzip dies of the broken pipe if it was not read to the end.
  pipe_.reset();
  if (gzip_ && HasEnded(gzip_, 1000)) Reap(gzip_);
}

ssize_t LogFile::Read(char* to, std::size_t size) {
  if (compressed_ && !pipe_) {
    if (Status started = StartGzip(); !started) {
      failure_ = started.error().During("read " + name_).message;
      return -1;
    }
  }
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

std::string LogFile::TakeFailure() { return std::exchange(failure_, {}); }

bool LogFile::MoveTo(std::uint64_t offset) {
  if (!compressed_) {
    position_ = offset;
    return true;
  }
  std::string waste(kSkipBytes, '\0');
  while (position_ < offset) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(offset - position_, waste.size()));
    if (Read(waste.data(), want) <= 0) return false;
  }
  return position_ == offset;
}

std::uint64_t LogFile::size() const {
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

Status LogFile::StartGzip() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  UniqueFd input(ends[0]);
  const UniqueFd output(ends[1]);
  const char* path = std::getenv("PATH");
  auto program = FindProgram("gzip", path != nullptr ? path : "/usr/bin:/bin");
  if (!program) return program.error();
  SpawnOptions options;
  options.program = *program;
  options.arguments = {"gzip", "-dc"};
  options.descriptors = {{fd_.get(), 0}, {output.get(), 1}};
  options.new_session = false;
  auto spawned = Spawn(options);
  if (!spawned) return spawned.error();
  pipe_ = std::move(input);
  gzip_ = std::move(spawned->pidfd);
  return Ok();
}

}  // namespace slc::ctl
