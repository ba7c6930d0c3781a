#include "common/base/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/base/ids.h"
#include "tests/unit/temp_folder.h"

namespace slc {

TEST_CASE("A process is its pid and its start; a number alone is nobody") {
  const ProcessIdentity self = IdentifySelf();
  CHECK(self.pid == ::getpid());
  CHECK(self.start_time > 0);
  CHECK(OpenProcess(self));
  CHECK_FALSE(OpenProcess(ProcessIdentity{self.pid, self.start_time + 1}));
  CHECK_FALSE(OpenProcess(ProcessIdentity{0, 0}));
  CHECK_FALSE(OpenProcess(ProcessIdentity{-1, 0}));
  CHECK_FALSE(IdentifyProcess(1 << 29));
  CHECK(BootId().size() == 36);
  CHECK(BootId() == BootId());
  CHECK(HasEnded(UniqueFd(), 0));
  CHECK_FALSE(SignalProcess(UniqueFd(), 0));
}

TEST_CASE("A process whose name holds blanks and brackets is identified all the same") {
  char before[17] = {};
  ::prctl(PR_GET_NAME, before, 0, 0, 0);
  const ProcessIdentity self = IdentifySelf();
  ::prctl(PR_SET_NAME, ") S 1 1 (", 0, 0, 0);
  CHECK(IdentifySelf() == self);
  const auto usage = ReadUsage(::getpid());
  ::prctl(PR_SET_NAME, before, 0, 0, 0);
  REQUIRE(usage);
  CHECK(usage->state == 'R');
  CHECK(usage->parent == ::getppid());
  CHECK(usage->resident > 100'000);
}

TEST_CASE("Who listens on a port is found") {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  socklen_t length = sizeof(address);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const std::uint16_t port = ntohs(address.sin_port);
  CHECK_FALSE(FindPortHolder(port));
  REQUIRE(::listen(socket.get(), 1) == 0);
  const auto holder = FindPortHolder(port);
  REQUIRE(holder);
  CHECK(holder->pid == ::getpid());
  CHECK_FALSE(holder->command.empty());
}

TEST_CASE("Programs are looked up in PATH, but never in the current folder") {
  TempFolder folder;
  folder.Write("one/tool", "#!/bin/sh\n", 0644);
  folder.Write("two/tool", "#!/bin/sh\n", 0755);
  REQUIRE(MakeDirectories(folder / "three/tool"));
  const std::string path =
      folder / "none" + ":" + folder / "one" + "::" + folder / "three" + ":" + folder / "two";
  CHECK(*FindProgram("tool", path) == folder / "two/tool");
  CHECK(FindProgram("other", path).error().code == ErrorCode::kNotFound);
  CHECK(*FindProgram(folder / "two/tool", "") == folder / "two/tool");
  CHECK_FALSE(FindProgram(folder / "one/tool", path));
  CHECK_FALSE(FindProgram(folder / "three", path));
  REQUIRE(::chdir((folder / "two").c_str()) == 0);
  CHECK_FALSE(FindProgram("tool", ""));
  CHECK_FALSE(FindProgram("tool", ":"));
  REQUIRE(::chdir("/") == 0);
}

TEST_CASE("There is at least one CPU, and this binary has a folder") {
  CHECK(UsableCpus() >= 1);
  CHECK(UsableCpus() <= 4096);
  CHECK(OwnDirectory()[0] == '/');
  CHECK(::access((OwnDirectory() + "/.").c_str(), F_OK) == 0);
}

TEST_CASE("Request ids are long and never the same") {
  const std::string one = NewRequestId();
  CHECK(one.size() == 32);
  CHECK(one.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(NewRequestId() != one);
}

}  // namespace slc
