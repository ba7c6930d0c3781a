// The file of a unix socket: whoever chooses its path gets nothing done that he could not do.
#include "daemon/master/socket_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <doctest/doctest.h>

#include "common/base/unique_fd.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

constexpr uid_t kUser = 65534;

bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// A socket bound to a path, and what is known of its file.
struct Bound {
  explicit Bound(const std::string& path, const std::optional<RunAs>& owner = {},
                 mode_t mode = 0640) {
    facts.kind = ListenerKind::kUnix;
    facts.address = path;
    reason = BindSocketFile(fd.get(), facts, mode, owner);
  }
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ListenerFacts facts;
  int reason = 0;
};

}  // namespace

TEST_CASE("A socket's file has its mode from the first moment, and is removed") {
  TempFolder temp;
  Bound bound(temp.path() + "/it");
  REQUIRE(bound.reason == 0);
  struct stat info {};
  REQUIRE(::lstat(bound.facts.address.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0640);
  CHECK(Bound(bound.facts.address).reason == 0);  // nobody listens on the first: replaced
  RemoveSocketFile(bound.facts);                  // and so no longer this one's
  CHECK(Exists(bound.facts.address));
}

TEST_CASE("A folder that took the path of a socket's folder loses nothing") {
  TempFolder temp;
  const std::string folder = temp.path() + "/d";
  const std::string other = temp.path() + "/other";
  REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
  REQUIRE(::mkdir(other.c_str(), 0700) == 0);
  Bound bound(folder + "/victim");
  REQUIRE(bound.reason == 0);
  REQUIRE(UniqueFd(::open((other + "/victim").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
  REQUIRE(::rename(folder.c_str(), (temp.path() + "/gone").c_str()) == 0);
  REQUIRE(::symlink(other.c_str(), folder.c_str()) == 0);
  RemoveSocketFile(bound.facts);
  CHECK(Exists(other + "/victim"));
}

TEST_CASE("With --run-as a socket is bound with the rights of that user") {
  if (::geteuid() != 0) return;
  TempFolder temp;
  REQUIRE(::chmod(temp.path().c_str(), 0755) == 0);
  const RunAs user{kUser, kUser, {}};
  const std::string folder = temp.path() + "/theirs";
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  CHECK(Bound(folder + "/it", user).reason == EACCES);
  REQUIRE(::chown(folder.c_str(), kUser, kUser) == 0);
  Bound bound(folder + "/it", user);
  REQUIRE(bound.reason == 0);
  struct stat info {};
  REQUIRE(::lstat(bound.facts.address.c_str(), &info) == 0);
  CHECK(info.st_uid == kUser);
  RemoveSocketFile(bound.facts);
  CHECK_FALSE(Exists(bound.facts.address));
  // And ours are ours again.
  CHECK(Bound(temp.path() + "/ours").reason == 0);
}

}  // namespace slc
