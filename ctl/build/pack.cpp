#include "ctl/build/pack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "common/base/files.h"
#include "common/base/unique_fd.h"
#include "ctl/build/tar_format.h"

namespace slc::ctl {
namespace {

constexpr const char* kTopFolder = "package/";
constexpr std::size_t kPiece = 64U << 10;

// Writes in pieces that are worth a system call.
class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}

  Status Put(std::string_view bytes) {
    waiting_ += bytes;
    return waiting_.size() < kPiece ? Ok() : Flush();
  }
  Status Flush() {
    Status written = WriteAll(fd_, waiting_);
    waiting_.clear();
    return written;
  }

 private:
  int fd_;
  std::string waiting_;
};

Status WriteArchive(const std::string& folder, const Tree& tree, int fd, Interrupts& interrupts) {
  Writer writer(fd);
  TreeEntry top;
  top.kind = TreeEntry::Kind::kFolder;
  top.mode = 0755;
  const std::string prefix = kTopFolder;
  if (Status put = writer.Put(TarHeader(prefix.substr(0, prefix.size() - 1), top)); !put) {
    return put;
  }
  for (const TreeEntry& entry : tree.entries) {
    if (interrupts.caught() != 0) return Error{ErrorCode::kCancelled, "interrupted"};
    if (Status put = writer.Put(TarHeader(prefix, entry)); !put) return put;
    if (entry.kind != TreeEntry::Kind::kFile) continue;
    Status read =
        ReadEntry(folder, entry, [&](std::string_view piece) { return writer.Put(piece); });
    if (!read) return read;
    if (Status put = writer.Put(TarPadding(entry.size)); !put) return put;
  }
  if (Status put = writer.Put(TarEnd()); !put) return put;
  return writer.Flush();
}

// A file that has no name yet, or one that goes with us.
class Unfinished {
 public:
  explicit Unfinished(const std::string& final_path)
      : path_(final_path.substr(0, final_path.rfind('/') + 1) + ".slc-pack-XXXXXX"),
        fd_(::mkostemp(path_.data(), O_CLOEXEC)) {
    if (!fd_) path_.clear();
  }
  ~Unfinished() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  int fd() const { return fd_.get(); }
  Status Become(const std::string& final_path) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd_.get(), 0666U & ~mask) != 0 ||
        ::rename(path_.c_str(), final_path.c_str()) != 0) {
      return SystemError("write " + final_path, errno);
    }
    path_.clear();
    return Ok();
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace

Result<Packed> Pack(const std::string& folder, const Tree& tree, const std::string& output,
                    Steps& steps) {
  Unfinished file(output);
  if (file.fd() < 0) {
    return SystemError("write " + output + " (--output FILE puts it elsewhere)", errno);
  }
  Step gzip;
  gzip.command = {"gzip", "-n", "-c"};
  gzip.told = false;
  gzip.output = file.fd();
  gzip.feed = [&](int fd) { return WriteArchive(folder, tree, fd, steps.interrupts()); };
  gzip.advice = "is there room for " + output + "?";
  if (auto ran = steps.Run(gzip); !ran) return ran.error();
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return SystemError("look at " + output, errno);
  if (Status done = file.Become(output); !done) return done.error();
  Packed packed;
  packed.bytes = static_cast<std::uint64_t>(info.st_size);
  for (const TreeEntry& entry : tree.entries) {
    packed.files += entry.kind == TreeEntry::Kind::kFile ? 1U : 0U;
  }
  return packed;
}

}  // namespace slc::ctl
