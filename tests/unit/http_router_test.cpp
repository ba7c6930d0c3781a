#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/http/response.h"
#include "common/http/router.h"
#include "common/http/target.h"

namespace slc::http {
namespace {

std::string Found(const Router<int>& router, const std::string& method, const std::string& path) {
  const auto target = ParseTarget(path);
  if (!target) return "undecodable";
  const auto match = router.Find(method, target->segments);
  if (match.route == nullptr) {
    std::string text = "none";
    for (const std::string& allowed : match.allowed) text += " " + allowed;
    return text;
  }
  std::string text = std::to_string(match.route->handler);
  for (const auto& [name, value] : match.parameters) text += " " + name + "=" + value;
  return text;
}

TEST_CASE("a route is found by method and path, literals before parameters, in any case") {
  Router<int> router;
  router.Add("GET", "/", 1);
  router.Add("GET", "/api/Services/{id}", 2);
  router.Add("GET", "/api/Services/findOne", 3);
  router.Add("POST", "/api/Services/{id}/start", 4);
  router.Add("PUT", "/api/Services/{id}/env/{name}", 5);
  router.Add("DELETE", "/api/Services/{id}", 6);
  CHECK(Found(router, "GET", "/") == "1");
  CHECK(Found(router, "GET", "") == "1");
  CHECK(Found(router, "GET", "/api/services/7") == "2 id=7");
  CHECK(Found(router, "GET", "/API/Services/7/") == "2 id=7");
  CHECK(Found(router, "GET", "/api/Services/findone?filter=x") == "3");
  CHECK(Found(router, "HEAD", "/api/Services/7") == "2 id=7");
  CHECK(Found(router, "POST", "/api//Services/a%2Fb/start") == "4 id=a/b");
  CHECK(Found(router, "PUT", "/api/Services/1/env/A%20B") == "5 id=1 name=A B");
  CHECK(Found(router, "POST", "/api/Services/7") == "none GET DELETE");
  CHECK(Found(router, "GET", "/api/Nothing") == "none");
  CHECK(Found(router, "GET", "/api/Services/7/start/x") == "none");
}

TEST_CASE("targets are decoded once, and what leads out of a path is refused") {
  const auto target = ParseTarget("/a%20b/%41+c/?x=1&y=%7B%22a%22%3A+1%7D&x=2&z#frag");
  REQUIRE(target);
  CHECK(target->segments == std::vector<std::string>{"a b", "A+c"});
  REQUIRE(target->query.size() == 4);
  CHECK(*target->Find("x") == "1");
  CHECK(*target->Find("y") == "{\"a\": 1}");
  CHECK(target->Find("z")->empty());
  CHECK(target->Find("frag") == nullptr);
  CHECK(ParseTarget("/%2541")->segments[0] == "%41");
  for (const char* bad :
       {"/..", "/a/../b", "/%2e%2e/x", "/.", "/%", "/%4", "/%zz", "/a%00b", "/?a=%", "/?%00=1"}) {
    INFO(bad);
    CHECK_FALSE(ParseTarget(bad));
  }
}

TEST_CASE("answers are framed as asked") {
  Response response;
  response.status = 404;
  response.headers = {{"X-One", "1"}};
  CHECK(ResponseHead(response, Framing::kLength, 12, true, "now") ==
        "HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Type: application/json; charset=utf-8\r\n"
        "X-One: 1\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n");
  response = Response{};
  response.status = 204;
  response.type.clear();
  CHECK(ResponseHead(response, Framing::kNone, 0, false, "now") ==
        "HTTP/1.1 204 No Content\r\nDate: now\r\nConnection: close\r\n\r\n");
  CHECK(HttpDate(784111777000) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(Chunk("0123456789abcdef") == "10\r\n0123456789abcdef\r\n");
  CHECK(Chunk("").empty());
}

TEST_CASE("events hold lines only where the format has them") {
  CHECK(ServerSentEvent("log", "one\ntwo", "7") == "id: 7\nevent: log\ndata: one\ndata: two\n\n");
  CHECK(ServerSentEvent("", "a\r\nb") == "data: a\ndata: \ndata: b\n\n");
  CHECK(ServerSentEvent("", "") == "data: \n\n");
}

}  // namespace
}  // namespace slc::http
