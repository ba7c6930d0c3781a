#include <string>

#include <doctest/doctest.h>

#include "common/http/url.h"

namespace slc::http {
namespace {

Url Good(const std::string& text) {
  const auto url = ParseUrl(text);
  const std::string complaint = url ? "" : url.error().message;
  INFO(complaint);
  REQUIRE(url);
  return *url;
}

std::string Refused(const std::string& text) {
  const auto url = ParseUrl(text);
  if (url) return "accepted";
  CHECK(url.error().code == ErrorCode::kUsage);
  return url.error().message;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a URL has its usual host and port, and what it is shown as holds no password") {
  CHECK(Good("http://").shown() == "http://127.0.0.1:8701");
  CHECK(Good("http://box").authority() == "box:8701");
  CHECK(Good("HTTP://box:80/api").port == 80);
  CHECK(Good("https://[::1]:443/").shown() == "https://[::1]:443");
  CHECK(Good("https://[::1]").host == "::1");
}

TEST_CASE("user and password are decoded, and may hold what is not a slash") {
  const Url url = Good("http://us%40er:p:a@ss%2Fw@box:1");
  CHECK(url.user == "us@er");
  CHECK(url.password == "p:a@ss/w");
  CHECK(url.host == "box");
  CHECK(url.shown() == "http://box:1");
  CHECK(Good("http://user@box").password == "");
  const std::string why = Refused("http://user:secret@bo x");
  CHECK(Has(why, "no host"));
  CHECK_FALSE(Has(why, "secret"));
  CHECK_FALSE(Has(Refused("http://user:%zz-secret@box"), "secret"));
}

TEST_CASE("ssh goes to a login; with a password it is meant for HTTP, as in the original") {
  CHECK(Good("http+ssh://joe@box").login == "joe");
  CHECK(Good("http+ssh://joe@box").user == "");
  CHECK(Good("http+ssh://joe@box").shown() == "http+ssh://joe@box:8701");
  // What comes out there is for the machine itself.
  CHECK(Good("http+ssh://joe@box:1").authority() == "127.0.0.1:1");
  CHECK(Good("http+ssh://user:pass@box").user == "user");
  CHECK(Good("http+ssh://user:pass@box").login == "");
}

TEST_CASE("what a program would take for an option is no host and no login") {
  CHECK(Has(Refused("http+ssh://-oProxyCommand=x"), "no host"));
  CHECK(Has(Refused("http+ssh://-ljoe@box"), "no login"));
  CHECK(Has(Refused("http+ssh://a b@box"), "no login"));
}

TEST_CASE("unix sockets are named by their path") {
  CHECK(Good("unix:/run/x.sock").path == "/run/x.sock");
  CHECK(Good("unix:///run/x.sock").path == "/run/x.sock");
  CHECK(Good("http+unix:///run/x").path == "/run/x");
  CHECK(Good("unix:x.sock").path == "x.sock");
  CHECK(Good("unix:/run/x").authority() == "localhost");
  CHECK(Has(Refused("unix:"), "no socket"));
}

TEST_CASE("what is no URL of a process manager is refused") {
  CHECK(Has(Refused("box:8701"), "does not begin with http://"));
  CHECK(Has(Refused("ftp://box"), "'ftp://' is not known"));
  CHECK(Has(Refused("http://box:0"), "no port"));
  CHECK(Has(Refused("http://box:65536"), "no port"));
  CHECK(Has(Refused("http://box:8o"), "no port"));
  CHECK(Has(Refused("http://[::1"), "no ']'"));
  CHECK(Has(Refused("http://[::1]x"), "no port"));
  CHECK(Has(Refused("http://box/console"), "has no path"));
  CHECK(Has(Refused("http://@box"), "no user"));
  CHECK(LooksLikeUrl("unix:/x"));
  CHECK(LooksLikeUrl("gopher://x"));
  CHECK_FALSE(LooksLikeUrl("../my-app-1.0.0.tgz"));
  CHECK(IsLoopback(Good("http://127.0.0.2")));
  CHECK_FALSE(IsLoopback(Good("http://10.0.0.2")));
}

TEST_CASE("Base64 and percent encoding") {
  CHECK(Base64("") == "");
  CHECK(Base64("f") == "Zg==");
  CHECK(Base64("fo") == "Zm8=");
  CHECK(Base64("user:pa55") == "dXNlcjpwYTU1");
  CHECK(Base64("\xff\xfe\xfd") == "//79");
  CHECK(PercentEncode("{\"a\":[1]}~") == "%7B%22a%22%3A%5B1%5D%7D~");
}

}  // namespace slc::http
