// An archive into a folder: whatever it is, nothing is made outside of the folder, and in it only
// plain files, folders, and links that stay within. The first byte says whether headers are
// repaired, and whether the archive is compressed.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/base/files.h"
#include "daemon/deploy/unpack/unpacker.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tar_repair.h"
#include "tests/unit/tar_maker.h"

namespace {

using namespace slc;

// In memory where there is such a place: each archive is made durable.
class Scratch {
 public:
  Scratch() : path_("/dev/shm/slc-fuzz-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      path_ = "/tmp/slc-fuzz-XXXXXX";
      if (::mkdtemp(path_.data()) == nullptr) std::abort();
    }
    fd_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Scratch() { ::rmdir(path_.c_str()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  int fd() const { return fd_.get(); }

 private:
  std::string path_;
  UniqueFd fd_;
};

bool IsWithin(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  const UniqueFd target(
      static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
  return target || errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENAMETOOLONG;
}

void CheckFolder(int root, int folder, const std::string& prefix) {
  const auto names = ListDirectory(folder);
  fuzz::Check(names.ok(), "what was made can be listed");
  for (const std::string& name : *names) {
    struct stat info {};
    fuzz::Check(::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0, "it is there");
    const mode_t mode = info.st_mode;
    const bool known = mode == (S_IFREG | 0644) || mode == (S_IFREG | 0755) ||
                       mode == (S_IFDIR | 0755) || S_ISLNK(mode);
    fuzz::Check(known, "it is a plain file, folder or link");
    if (S_ISLNK(mode)) fuzz::Check(IsWithin(root, prefix + name), "a link stays within");
    if (!S_ISDIR(mode)) continue;
    const UniqueFd below(
        ::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    CheckFolder(root, below.get(), prefix + name + "/");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Scratch scratch;
  if (size < 2) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) fuzz::RepairTar(bytes);
  if (data[0] % 4 == 3) bytes = Gzip(bytes, 1);
  ::umask(022);
  fuzz::Check(::mkdirat(scratch.fd(), "in", 0755) == 0, "a folder can be made");
  const UniqueFd in(::openat(scratch.fd(), "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  unpack::Limits limits;
  limits.entries = 100;
  limits.bytes = 1U << 20;
  {
    unpack::Unpacker unpacker(in.get(), limits);
    Status added = unpacker.Begin();
    const std::size_t piece = 1U + data[0] * 16U;
    for (std::size_t at = 0; added && at < bytes.size(); at += piece) {
      added = unpacker.Add(std::string_view(bytes).substr(at, piece));
    }
    if (added) static_cast<void>(unpacker.Finish());
  }
  CheckFolder(in.get(), in.get(), "");
  const auto beside = ListDirectory(scratch.fd());
  fuzz::Check(beside && *beside == std::vector<std::string>{"in"}, "nothing is made outside");
  fuzz::Check(RemoveTreeAt(scratch.fd(), "in").ok(), "the folder can be removed");
  return 0;
}
