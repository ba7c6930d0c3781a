// What must be on the disk before what: a wish that was answered outlives a power cut. The calls
// that decide it are watched by standing in for them.
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

#include "common/base/files.h"
#include "tests/unit/temp_folder.h"

namespace {

struct Watch {
  std::string calls;      // "fsync a.tmp, rename a.tmp a, ..."
  std::string unwritten;  // the file whose fsync fails
};
// Of this thread only: others write logs meanwhile.
thread_local Watch* watch = nullptr;

void Note(const std::string& call) { watch->calls += (watch->calls.empty() ? "" : ", ") + call; }

std::string NameOf(int fd) {
  std::array<char, PATH_MAX> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  const std::string path(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return path.substr(path.rfind('/') + 1);
}

// While it lives the calls of this thread are noted.
class Watching {
 public:
  Watching() { watch = &noted_; }
  ~Watching() { watch = nullptr; }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  // The calls since the last time.
  std::string Calls() { return std::exchange(noted_.calls, {}); }
  void FailFsyncOf(const std::string& name) { noted_.unwritten = name; }

 private:
  Watch noted_;
};

}  // namespace

extern "C" int fsync(int fd) {
  if (watch != nullptr) {
    const std::string name = NameOf(fd);
    Note("fsync " + name);
    if (name == watch->unwritten) {
      errno = EIO;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  if (watch != nullptr) Note(std::string("rename ") + from + " " + to);
  return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, 0));
}

namespace slc {

TEST_CASE("A new content is on the disk before its name is, and that before we say so") {
  TempFolder folder;
  const std::string folder_name = folder.path().substr(folder.path().rfind('/') + 1);
  Watching watching;
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "one", true));
  CHECK(watching.Calls() == "fsync a.tmp, rename a.tmp a, fsync " + folder_name);
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "two", true));
  CHECK(watching.Calls() ==
        "fsync a.tmp, rename a.prev.tmp a.prev, rename a.tmp a, fsync " + folder_name);
}

TEST_CASE("A content that did not reach the disk is not put in place, and not tried again") {
  TempFolder folder;
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "one", true));
  Watching watching;
  watching.FailFsyncOf("a.tmp");
  const Status replaced = ReplaceFileAt(folder.fd(), "a", "two", true);
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error().message == "a.tmp: fsync: Input/output error");
  CHECK(watching.Calls() == "fsync a.tmp");
  CHECK(folder.Read("a") == "one");
  CHECK(ListDirectory(folder.fd())->size() == 1);
}

TEST_CASE("A name that may not have reached the disk is an error") {
  TempFolder folder;
  Watching watching;
  watching.FailFsyncOf(folder.path().substr(folder.path().rfind('/') + 1));
  CHECK_FALSE(ReplaceFileAt(folder.fd(), "a", "one", true));
}

}  // namespace slc
