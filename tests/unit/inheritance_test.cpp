#include "common/wire/inheritance.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/file_limit.h"
#include "common/wire/snapshot_format.h"

using namespace slc;

namespace {

// The manifest's descriptor and two pipes, as an image would find them.
struct Found {
  Found() {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    one = ends[0];
    other = ends[1];
  }
  std::string Text(const std::string& form, int first, int second) const {
    return "{\"form\":" + form +
           ",\"facts\":\"f\",\"fds\":[{\"name\":\"a/1\",\"fd\":" + std::to_string(first) +
           "},{\"name\":\"b\",\"fd\":" + std::to_string(second) + "}]}";
  }
  void Close() const {
    ::close(one);
    ::close(other);
  }
  int one = -1;
  int other = -1;
};

Result<Inheritance> ReceiveText(const std::string& text) {
  auto memfd = MakeMemfd("test", text);
  REQUIRE(memfd);
  return Inheritance::Receive(*memfd);
}

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("what an image was left is taken by name, and closes on exec") {
  const Found found;
  auto inheritance = ReceiveText(found.Text("1", found.one, found.other));
  REQUIRE(inheritance);
  CHECK(inheritance->facts() == "f");
  auto below = inheritance->TakeBelow("a/");
  REQUIRE(below.size() == 1);
  CHECK(below.at("1").get() == found.one);
  CHECK((::fcntl(found.one, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(!inheritance->Take("a/1"));
  CHECK(inheritance->Take("b").get() == found.other);
}

TEST_CASE("a manifest that is not whole is refused") {
  const Found found;
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"),
        found.Text("2", found.one, found.other), found.Text("1", found.one, found.one),
        found.Text("1", found.one, 1), found.Text("1", found.one, -1),
        found.Text("1", found.one, 99'999)}) {
    INFO(text);
    CHECK(!ReceiveText(text));
  }
  CHECK(!Inheritance::Receive(99'999));
  // Nothing was taken, so nothing was closed.
  CHECK(IsOpen(found.one));
  CHECK(IsOpen(found.other));
  found.Close();
}

TEST_CASE("an exec that fails leaves everything as it was") {
  const Found found;
  ::fcntl(found.one, F_SETFD, FD_CLOEXEC);
  rlimit before{};
  ::getrlimit(RLIMIT_CORE, &before);
  const rlimit less{0, before.rlim_max};
  const Error error =
      ExecuteInPlace("/nowhere/slcd", {"slcd"}, Bequest{{{"a", found.one}}, "", {}}, less);
  CHECK(error.message.find("execute /nowhere/slcd") != std::string::npos);
  CHECK((::fcntl(found.one, F_GETFD) & FD_CLOEXEC) != 0);
  rlimit after{};
  ::getrlimit(RLIMIT_CORE, &after);
  CHECK(after.rlim_cur == before.rlim_cur);
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  CHECK(::sigismember(&blocked, SIGTERM) == 0);
  found.Close();
}

TEST_CASE("the next image finds what it was left") {
  const Found found;
  const pid_t child = ::fork();
  if (child == 0) {
    // The shell writes into the descriptor by its number, which only an inherited one has.
    ExecuteInPlace("/bin/sh", {"sh", "-c", "echo here >&" + std::to_string(found.other), "sh"},
                   Bequest{{{"pipe", found.other}}, "", {}}, rlimit{0, 0});
    ::_exit(1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  char text[8] = {};
  CHECK(::read(found.one, text, sizeof(text)) == 5);
  found.Close();
}

TEST_CASE("an image that holds more than the soft limit it was started with executes the next") {
  const Found found;
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr int kMany = 1200;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 1024;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    RaiseFileLimit();
    Bequest bequest;
    for (int i = 0; i < kMany; ++i) {
      const int fd = ::fcntl(found.other, F_DUPFD_CLOEXEC, 3);
      if (fd < 0) ::_exit(2);
      bequest.fds[std::to_string(i)] = fd;
    }
    bequest.fds["pipe"] = found.other;
    // Its libraries are the first that it opens. What was found at first, it is told.
    ExecuteInPlace(
        "/bin/sh",
        {"sh", "-c",
         "test \"$SLC_FOUND_NOFILE\" = \"$$ 1024\" && echo here >&" + std::to_string(found.other),
         "sh"},
        bequest, rlimit{0, 0});
    ::_exit(1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  found.Close();
}
