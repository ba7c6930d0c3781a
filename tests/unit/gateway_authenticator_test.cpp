#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/process.h"
#include "common/base/tcp_peer.h"
#include "common/uv/timer.h"
#include "daemon/gateway/authenticator.h"
#include "daemon/gateway/credentials.h"

namespace slc::gateway {
namespace {

http::RequestHead WithHeader(const std::string& value) {
  http::RequestHead head;
  if (!value.empty()) head.headers.push_back({"authorization", value});
  return head;
}

http::ClientAddress From(const std::string& text) {
  http::ClientAddress address;
  address.text = text;
  return address;
}

GatewayCredential Token(const std::string& name, const std::string& token,
                        std::vector<Scope> scopes) {
  GatewayCredential credential;
  credential.name = name;
  credential.hash = HashToken(token);
  credential.scopes = std::move(scopes);
  return credential;
}

struct Desk {
  Authenticator::Verdict Check(const http::RequestHead& head, const http::ClientAddress& address) {
    std::optional<Authenticator::Verdict> got;
    authenticator.Check(head, address, [&](const Authenticator::Verdict& verdict) {
      CHECK_FALSE(got);
      got = verdict;
      if (runs) loop.Stop();
    });
    uv::Timer limit(loop, [this] { loop.Stop(); });
    limit.StartIn(20'000);
    runs = true;
    if (!got) loop.Run();
    runs = false;
    REQUIRE(got);
    return *got;
  }
  std::string NameOf(const std::string& header, const std::string& address = "10.0.0.1") {
    const auto verdict = Check(WithHeader(header), From(address));
    return verdict.principal ? verdict.principal->name : "";
  }

  bool runs = false;
  uv::Loop loop;
  Authenticator authenticator{loop, Authenticator::Owner{1000, "app"}};
};

}  // namespace

TEST_CASE("at a unix socket the kernel tells who it is") {
  Desk desk;
  desk.authenticator.SetCredentials({Token("ci", "slc_1", {Scope::kRead})}, false);
  http::ClientAddress address;
  address.local = true;
  address.uid = 1000;
  CHECK(desk.Check({}, address).principal->name == "user app");
  address.uid = 0;
  CHECK(Grants(desk.Check({}, address).principal->scopes, Scope::kAdmin));
  address.uid = 1001;
  CHECK_FALSE(desk.Check({}, address).principal);
  address.uid.reset();
  CHECK_FALSE(desk.Check({}, address).principal);
}

TEST_CASE("without credentials only slcd's user and root get in over loopback") {
  Desk desk;
  http::ClientAddress address = From("127.0.0.1");
  address.uid = 1000;
  CHECK(desk.Check({}, address).principal);
  address.uid = 1001;
  CHECK_FALSE(desk.Check({}, address).principal);
  address.uid.reset();
  CHECK_FALSE(desk.Check({}, address).principal);
}

TEST_CASE("tokens, users, and certificates prove who it is") {
  Desk desk;
  const auto hash = HashPassword("s3:cret");
  REQUIRE(hash);
  GatewayCredential user;
  user.name = "ops";
  user.basic = true;
  user.hash = *hash;
  const std::string token = *NewToken();
  CHECK(token.size() == 68);
  desk.authenticator.SetCredentials({Token("ci", token, {Scope::kDeploy}), user}, true);
  CHECK(desk.NameOf("Bearer " + token) == "token ci");
  CHECK(desk.NameOf("bearer   " + token) == "token ci");
  CHECK(desk.NameOf("Bearer " + token + "0").empty());
  CHECK(desk.NameOf("").empty());
  CHECK(desk.NameOf("Basic b3BzOnMzOmNyZXQ=") == "user ops");  // ops:s3:cret
  CHECK(desk.NameOf("Basic b3BzOnMzOmNyZXQ=") == "user ops");
  CHECK(desk.NameOf("Basic b3BzOnMzOmNyZXU=").empty());  // ops:s3:creu
  CHECK(desk.NameOf("Basic eDpzMzpjcmV0").empty());      // x:s3:cret
  CHECK(desk.NameOf("Basic !!!").empty());
  CHECK(desk.NameOf("Digest a").empty());
  http::ClientAddress shown = From("10.0.0.2");
  shown.certificate = "build-host";
  CHECK(desk.Check({}, shown).principal->name == "certificate of build-host");
  shown.certificate = "ci";
  CHECK(desk.Check({}, shown).principal->scopes == std::vector<Scope>{Scope::kDeploy});
  desk.authenticator.SetCredentials({user}, false);
  CHECK(desk.NameOf("Bearer " + token).empty());
  CHECK_FALSE(desk.Check({}, shown).principal);
}

TEST_CASE("an address that fails too often is not looked at; others are") {
  Desk desk;
  const std::string token = *NewToken();
  desk.authenticator.SetCredentials({Token("ci", token, {Scope::kRead})}, false);
  // To come without is no failure.
  for (int i = 0; i < 20; ++i) CHECK(desk.Check({}, From("10.0.0.9")).wait == 0);
  for (int i = 0; i < FailureThrottle::kFree; ++i) {
    CHECK(desk.Check(WithHeader("Bearer slc_x"), From("10.0.0.9")).wait == 0);
  }
  CHECK(desk.Check(WithHeader("Bearer " + token), From("10.0.0.9")).wait > 0);
  CHECK(desk.NameOf("Bearer " + token, "10.0.0.8") == "token ci");
}

TEST_CASE("passwords are known by their hash, and no two hashes are alike") {
  const auto one = HashPassword("a");
  const auto other = HashPassword("a");
  REQUIRE(one);
  REQUIRE(other);
  CHECK(*one != *other);
  CHECK(IsPasswordOf("a", *one));
  CHECK_FALSE(IsPasswordOf("b", *one));
  for (const char* bad :
       {"", "scrypt", "scrypt:1:1:1:00:00", "scrypt:3:8:1:00:00", "x:2:1:1:0:0",
        "scrypt:1048576:1048576:1:00:00", "scrypt:2:1:1:zz:00", "scrypt:2:1:1:00:"}) {
    CHECK_FALSE(IsPasswordOf("", bad));
  }
}

TEST_CASE("whose a loopback connection is, as long as it is open") {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* name = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener.get(), name, length) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  REQUIRE(::getsockname(listener.get(), name, &length) == 0);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), name, length) == 0);
  const UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(server);
  const auto peer = FindTcpPeer(server.get());
  REQUIRE(peer);
  CHECK(peer->uid == ::geteuid());
  const std::vector<std::uint64_t> ours = SocketsOf(::getpid());
  CHECK(std::count(ours.begin(), ours.end(), peer->inode) == 1);
  CHECK(FindTcpPeer(client.get())->inode != peer->inode);
  CHECK_FALSE(FindTcpPeer(listener.get()));
  // Who has said all still waits for the answer.
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  REQUIRE(FindTcpPeer(server.get()));
  CHECK(FindTcpPeer(server.get())->uid == peer->uid);
  // The kernel says root of one that was closed.
  client.reset();
  CHECK_FALSE(FindTcpPeer(server.get()));
}

}  // namespace slc::gateway
