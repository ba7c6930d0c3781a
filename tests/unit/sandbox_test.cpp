#include "common/base/sandbox.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include <doctest/doctest.h>

#include "tests/unit/temp_folder.h"

using namespace slc;

namespace {

// Calls `what` in a process of its own; its result, 0 to 100.
int Apart(const std::function<int()>& what) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

constexpr int kNoLandlock = 100;

}  // namespace

TEST_CASE("a program that may use one folder can use nothing else") {
  TempFolder folder;
  TempFolder other;
  folder.Write("there", "x");
  folder.Write("run", "#!/bin/sh\n", 0755);
  other.Write("secret", "x");
  const std::string outside = other / "secret";
  // The number of the first attempt that went otherwise than it should.
  const int wrong = Apart([&folder, &outside, &other] {
    if (!ForbidNewPrivileges()) return 1;
    const auto forbidden = ForbidFilesOutside(folder.fd());
    if (!forbidden) return 2;
    if (!*forbidden) return kNoLandlock;
    int attempt = 2;
    const auto expect = [&attempt](bool done) {
      ++attempt;
      return done;
    };
    const int in = folder.fd();
    if (!expect(::openat(in, "new", O_WRONLY | O_CREAT | O_EXCL, 0644) >= 0)) return attempt;
    if (!expect(::openat(in, "there", O_RDONLY) >= 0)) return attempt;
    if (!expect(::mkdirat(in, "folder", 0755) == 0)) return attempt;
    if (!expect(::openat(in, "folder/deep", O_WRONLY | O_CREAT, 0644) >= 0)) return attempt;
    if (!expect(::symlinkat("x", in, "link") == 0)) return attempt;
    if (!expect(::openat(in, "folder", O_RDONLY | O_DIRECTORY) >= 0)) return attempt;
    if (!expect(::unlinkat(in, "there", 0) != 0)) return attempt;
    if (!expect(::mkfifoat(in, "fifo", 0600) != 0)) return attempt;
    if (!expect(::renameat(in, "there", in, "folder/there") != 0)) return attempt;
    if (!expect(::open(outside.c_str(), O_RDONLY) < 0)) return attempt;
    if (!expect(::open(outside.c_str(), O_WRONLY) < 0)) return attempt;
    if (!expect(::open((other / "new").c_str(), O_WRONLY | O_CREAT, 0644) < 0)) return attempt;
    if (!expect(::unlink(outside.c_str()) != 0)) return attempt;
    if (!expect(::symlink("x", (other / "link").c_str()) != 0)) return attempt;
    if (!expect(::open("/", O_RDONLY | O_DIRECTORY) < 0)) return attempt;
    ::execl((folder / "run").c_str(), "run", nullptr);
    if (!expect(errno == EACCES)) return attempt;
    ::execl("/bin/true", "true", nullptr);
    if (!expect(errno == EACCES)) return attempt;
    return 0;
  });
  if (wrong == kNoLandlock) return;
  CHECK(wrong == 0);
  CHECK(other.Read("secret") == "x");
}

TEST_CASE("rights that root gives up do not come back") {
  if (::geteuid() != 0) return;
  TempFolder folder;
  folder.Write("secret", "x", 0600);
  constexpr uid_t kNobody = 65534;
  const int wrong = Apart([&folder] {
    RunAs nobody;
    nobody.uid = nobody.gid = kNobody;
    if (!DropRights(nobody)) return 1;
    if (::getuid() != kNobody || ::getegid() != kNobody || ::getgroups(0, nullptr) != 0) return 2;
    if (::setuid(0) == 0 || ::setgid(0) == 0) return 3;
    if (::open((folder / "secret").c_str(), O_RDONLY) >= 0) return 4;
    return 0;
  });
  CHECK(wrong == 0);
  // Without another user: root in name, with no more than the owner's rights.
  const UniqueFd theirs(::open((folder / "secret").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(::fchown(theirs.get(), kNobody, kNobody) == 0);
  const int still_root = Apart([&folder] {
    if (!DropRights(std::nullopt)) return 1;
    return ::open((folder / "secret").c_str(), O_RDONLY) < 0 ? 0 : 2;
  });
  CHECK(still_root == 0);
}
