#include "common/model/listen_address.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace slc {
namespace {

ListenAddress Tcp(const std::string& address, int port, int family = 4,
                  const std::string& name = "") {
  return ListenAddress{name, "", address, port, family};
}

}  // namespace

TEST_CASE("An address of --listen is a port, an address with one, or a path") {
  const std::vector<std::pair<std::string, ListenAddress>> good{
      {"8080", Tcp("", 8080)},
      {"*:80", Tcp("", 80)},
      {":80", Tcp("", 80)},
      {"0.0.0.0:65535", Tcp("0.0.0.0", 65535)},
      {"127.0.0.1:1", Tcp("127.0.0.1", 1)},
      {"[::1]:443", Tcp("::1", 443, 6)},
      {"[fe80::1%eth0]:443", Tcp("fe80::1%eth0", 443, 6)},
      {"admin=127.0.0.1:9000", Tcp("127.0.0.1", 9000, 4, "admin")},
      {"/run/app.sock", ListenAddress{"", "/run/app.sock", "", 0, 4}},
      {"unix:app.sock", ListenAddress{"", "app.sock", "", 0, 4}},
      {"a=unix:/x=y:1", ListenAddress{"a", "/x=y:1", "", 0, 4}},
      {"/run/a=b.sock", ListenAddress{"", "/run/a=b.sock", "", 0, 4}},
  };
  for (const auto& [text, expected] : good) {
    const auto address = ParseListenAddress(text);
    REQUIRE_MESSAGE(address, text);
    CHECK_MESSAGE(*address == expected, text);
  }
  for (const std::string text : {"", "0", "65536", "-1", "80x", "localhost:80", "127.0.0.1",
                                 "127.0.0.1:", "::1:80", "[::1]", "[127.0.0.1]:80", "[]:80",
                                 "unix:", "=80", "a b=80", "a:b=80", "relative/path", "1.2.3:80"}) {
    const auto address = ParseListenAddress(text);
    CHECK_MESSAGE(!address, text);
    if (!address) CHECK(address.error().message.find("for example") != std::string::npos);
  }
}

TEST_CASE("Addresses of --listen are there once each, whatever their names") {
  CHECK(CheckListenAddresses({}));
  CHECK(CheckListenAddresses({"80", "127.0.0.1:80", "[::1]:80", "/a", "/b"}));
  CHECK_FALSE(CheckListenAddresses({"80", "*:80"}));
  CHECK_FALSE(CheckListenAddresses({"a=/x", "b=unix:/x"}));
  CHECK_FALSE(CheckListenAddresses({"80", "nonsense"}));
  std::vector<std::string> many;
  for (int port = 1; port <= 32; ++port) many.push_back(std::to_string(port));
  CHECK(CheckListenAddresses(many));
  many.emplace_back("33");
  CHECK_FALSE(CheckListenAddresses(many));
}

}  // namespace slc
