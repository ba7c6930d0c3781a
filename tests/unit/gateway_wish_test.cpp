#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/model/gateway.h"
#include "common/model/json.h"

namespace slc {
namespace {

GatewayWish Listening(const std::string& listen) {
  GatewayWish wish;
  wish.run = true;
  wish.listen = {listen};
  return wish;
}

std::string Refusal(const GatewayWish& wish) {
  const Status status = CheckGateway(wish);
  return status ? std::string() : status.error().message;
}

}  // namespace

TEST_CASE("off loopback the gateway takes TLS and somebody who can prove who he is") {
  for (const char* listen :
       {"127.0.0.1:8701", "127.9.9.9:1", "[::1]:8701", "unix:/run/slc.sock", "/run/slc.sock"}) {
    CHECK_MESSAGE(Refusal(Listening(listen)).empty(), listen);
  }
  for (const char* listen : {"0.0.0.0:8701", "8701", "*:8701", "[::]:8701", "192.168.0.1:8701"}) {
    GatewayWish wish = Listening(listen);
    CHECK_MESSAGE(Refusal(wish).find("--tls-cert") != std::string::npos, listen);
    wish.certificate = "/c.pem";
    CHECK(Refusal(wish).find("go together") != std::string::npos);
    wish.key = "/k.pem";
    CHECK(Refusal(wish).find("slc token add") != std::string::npos);
    GatewayWish by_certificate = wish;
    by_certificate.client_ca = "/ca.pem";
    CHECK(Refusal(by_certificate).empty());
    wish.credentials.emplace_back();
    CHECK(Refusal(wish).empty());
  }
  GatewayWish wish = Listening("unix:relative");
  CHECK_FALSE(Refusal(wish).empty());
  wish = Listening("127.0.0.1:8701");
  wish.client_ca = "/ca.pem";
  CHECK_FALSE(Refusal(wish).empty());
  wish.listen.clear();
  CHECK_FALSE(Refusal(wish).empty());
}

TEST_CASE("scopes: each includes read, admin all") {
  CHECK(Grants({Scope::kOperate}, Scope::kRead));
  CHECK(Grants({Scope::kOperate}, Scope::kOperate));
  CHECK_FALSE(Grants({Scope::kOperate}, Scope::kDeploy));
  CHECK_FALSE(Grants({Scope::kDeploy}, Scope::kOperate));
  CHECK_FALSE(Grants({Scope::kDeploy, Scope::kOperate}, Scope::kAdmin));
  CHECK_FALSE(Grants({}, Scope::kRead));
  for (const Scope scope : kAllScopes) {
    CHECK(Grants({Scope::kAdmin}, scope));
    CHECK(*ParseScope(ScopeName(scope)) == scope);
  }
  CHECK_FALSE(ParseScope("root"));
}

TEST_CASE("what is recorded comes back; clients are not shown hashes") {
  GatewayWish wish = Listening("127.0.0.1:8701");
  wish.certificate = "/c";
  wish.key = "/k";
  wish.client_ca = "/a";
  wish.hosts = {"ops.example"};
  GatewayCredential credential;
  credential.name = "ci@host";
  credential.hash = "abc";
  credential.scopes = {Scope::kDeploy, Scope::kRead};
  credential.created_wall = 7;
  wish.credentials.push_back(credential);
  GatewayWish back;
  REQUIRE(FromJson(ToJson(wish, Secrets::kShown), back));
  CHECK(ToJson(back, Secrets::kShown) == ToJson(wish, Secrets::kShown));
  GatewayView view;
  view.wish = wish;
  CHECK(ToJson(view).dump().find("abc") == std::string::npos);
  GatewayWish bad;
  CHECK_FALSE(FromJson(nlohmann::json::parse(R"({"credentials":[{"name":"a b"}]})"), bad));
  CHECK_FALSE(
      FromJson(nlohmann::json::parse(R"({"credentials":[{"name":"a","scopes":["x"]}]})"), bad));
}

}  // namespace slc
