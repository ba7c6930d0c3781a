#include "common/base/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

// A variable of our environment, as long as this lives.
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Setting() { ::unsetenv(name_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
};

// Plays the supervisor at `path`, "@name" for an abstract socket.
class Listener {
 public:
  explicit Listener(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), setting_("NOTIFY_SOCKET", path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  }

  struct Said {
    std::string text;
    std::vector<UniqueFd> fds;
  };
  Said Next() {
    std::array<char, 4096> buffer{};
    Received received = ReceiveWithFds(socket_.get(), buffer.data(), buffer.size());
    if (received.bytes < 0) return {"(nothing)", {}};
    return {std::string(buffer.data(), static_cast<std::size_t>(received.bytes)),
            std::move(received.fds)};
  }

 private:
  UniqueFd socket_;
  Setting setting_;
};

}  // namespace

TEST_CASE("Without a supervisor there is nobody to tell, and that is no failure") {
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(NotifySupervisor("READY=1").ok());
}

TEST_CASE("A supervisor is told at a path or at an abstract address") {
  const TempFolder folder;
  for (const std::string& path : {folder / "notify", "@slc-notify-test-" + folder.path()}) {
    CAPTURE(path);
    Listener supervisor(path);
    CHECK(NotifySupervisor("STATUS=serves\nREADY=1").ok());
    CHECK(supervisor.Next().text == "STATUS=serves\nREADY=1");
  }
}

TEST_CASE("Descriptors are given to the supervisor by name and taken from it again") {
  const TempFolder folder;
  Listener supervisor(folder / "notify");
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reads(ends[0]);
  UniqueFd writes(ends[1]);
  CHECK(KeepWithSupervisor("7/listen/0.0.0.0:80", reads.get()).ok());
  const Listener::Said said = supervisor.Next();
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
    Listener supervisor(folder / "notify");
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
