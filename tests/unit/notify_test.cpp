#include "common/base/notify.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include <doctest/doctest.h>

#include "tests/unit/notify_listener.h"
#include "tests/unit/temp_folder.h"

namespace slc {
TEST_CASE("Without a supervisor there is nobody to tell, and that is no failure") {
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(NotifySupervisor("READY=1").ok());
}

TEST_CASE("A supervisor is told at a path or at an abstract address") {
  const TempFolder folder;
  for (const std::string& path : {folder / "notify", "@slc-notify-test-" + folder.path()}) {
    CAPTURE(path);
    NotifyListener supervisor(path);
    CHECK(NotifySupervisor("STATUS=serves\nREADY=1").ok());
    CHECK(supervisor.Next().text == "STATUS=serves\nREADY=1");
  }
}

TEST_CASE("Descriptors are given to the supervisor by name and taken from it again") {
  const TempFolder folder;
  NotifyListener supervisor(folder / "notify");
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reads(ends[0]);
  UniqueFd writes(ends[1]);
  CHECK(KeepWithSupervisor("7/listen/0.0.0.0:80", reads.get()).ok());
  const NotifyListener::Said said = supervisor.Next();
  CHECK(said.text == "FDSTORE=1\nFDNAME=7/listen/0.0.0.0%3A80");
  REQUIRE(said.fds.size() == 1);
  REQUIRE(::write(writes.get(), "x", 1) == 1);
  char byte = 0;
  CHECK(::read(said.fds[0].get(), &byte, 1) == 1);
  CHECK(DropFromSupervisor("7/listen/0.0.0.0:80").ok());
  CHECK(supervisor.Next().text == "FDSTOREREMOVE=1\nFDNAME=7/listen/0.0.0.0%3A80");
}

TEST_CASE("A supervisor that takes nothing is an error and nothing worse") {
  const TempFolder folder;
  SUBCASE("nobody is there") {
    const Setting setting("NOTIFY_SOCKET", folder / "nobody");
    const Status told = NotifySupervisor("READY=1");
    REQUIRE(!told.ok());
    CHECK(told.error().code == ErrorCode::kUnreachable);
  }
  SUBCASE("it does not read: we do not wait for it") {
    NotifyListener supervisor(folder / "notify");
    Status told = Ok();
    for (int i = 0; i < 100'000 && told.ok(); ++i) told = NotifySupervisor("WATCHDOG=1");
    REQUIRE(!told.ok());
    CHECK(told.error().code == ErrorCode::kTimeout);
  }
  SUBCASE("the path is longer than an address") {
    const Setting setting("NOTIFY_SOCKET", "/" + std::string(200, 'x'));
    CHECK(!NotifySupervisor("READY=1").ok());
  }
}

TEST_CASE("Only the process that systemd has started is restarted and watched by it") {
  struct Row {
    Environment environment;
    bool by_systemd;
    Millis watchdog;
  };
  const Row rows[] = {
      {{}, false, 0},
      // A shell, or a container engine: it is told, but it does not start us again.
      {{{"NOTIFY_SOCKET", "/n"}}, false, 0},
      {{{"NOTIFY_SOCKET", "/n"}, {"SYSTEMD_EXEC_PID", "42"}}, true, 0},
      {{{"NOTIFY_SOCKET", "/n"}, {"SYSTEMD_EXEC_PID", "41"}}, false, 0},
      {{{"SYSTEMD_EXEC_PID", "42"}}, false, 0},
      {{{"NOTIFY_SOCKET", "/n"}, {"WATCHDOG_PID", "42"}, {"WATCHDOG_USEC", "20000000"}},
       true,
       20'000},
      {{{"NOTIFY_SOCKET", "/n"}, {"WATCHDOG_PID", "41"}, {"WATCHDOG_USEC", "20000000"}}, false, 0},
      {{{"NOTIFY_SOCKET", "/n"}, {"WATCHDOG_PID", "42"}, {"WATCHDOG_USEC", "soon"}}, true, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.environment.size());
    const Supervision supervision = ReadSupervision(row.environment, 42);
    CHECK(supervision.by_systemd == row.by_systemd);
    CHECK(supervision.watchdog == row.watchdog);
  }
}

TEST_CASE("What systemd kept for another process is not ours") {
  const Setting fds("LISTEN_FDS", "1");
  const Setting pid("LISTEN_PID", "1");
  CHECK(TakeFromSupervisor().empty());
  CHECK(std::getenv("LISTEN_FDS") == nullptr);
}

TEST_CASE("A name survives being kept by systemd") {
  for (const char* name : {"3/state", "1/listen/[::]:80", "a%3Ab", "\x01\xff", "%", ""}) {
    CAPTURE(name);
    const std::string kept = ToKeptName(name);
    CHECK(kept.find(':') == std::string::npos);
    CHECK(FromKeptName(kept) == name);
  }
  CHECK(ToKeptName(std::string(255, 'x')).size() == 255);
  CHECK(ToKeptName(std::string(256, 'x')).empty());
}
}  // namespace slc
