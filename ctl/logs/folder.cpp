#include "ctl/logs/folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "common/base/files.h"

namespace slc::ctl {
namespace {

RotatedLogName NameOf(LogStream stream, const std::string& stamp, bool compressed) {
  RotatedLogName name;
  name.stream = stream;
  name.stamp = stamp;
  name.compressed = compressed;
  return name;
}

}  // namespace

Millis TimeOfStamp(const std::string& stamp) {
  return stamp.empty() ? 0 : NameOf(LogStream::kOut, stamp, false).time();
}

LogFolder::LogFolder(std::string path, LogStream stream)
    : path_(std::move(path)), stream_(stream) {}

Result<bool> LogFolder::Open() {
  if (directory_) return true;
  directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (directory_) return true;
  if (errno == ENOENT) return false;
  return SystemError("open directory " + path_, errno);
}

std::vector<std::string> LogFolder::StampsAfter(const std::string& after) const {
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

std::unique_ptr<LogFile> LogFolder::OpenFile(const std::string& stamp,
                                             std::vector<std::string>* warnings) {
  const int directory = directory_.get();
  if (stamp.empty()) return LogFile::OpenAt(directory, CurrentLogName(stream_), false, warnings);
  const std::string plain = NameOf(stream_, stamp, false).FileName();
  if (auto file = LogFile::OpenAt(directory, plain, false, warnings)) return file;
  return LogFile::OpenAt(directory, NameOf(stream_, stamp, true).FileName(), true, warnings);
}

bool LogFolder::IsInPlace() const { return IsFileAt(directory_.get(), AT_FDCWD, path_); }

bool LogFolder::IsCurrent(const LogFile& file) const {
  struct stat named {};
  return IsInPlace() &&
         ::fstatat(directory_.get(), CurrentLogName(stream_).c_str(), &named,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
         file.Is(named);
}

}  // namespace slc::ctl
