// Deploys, end to end: slc deploy, the gateway, slcd, slc-unpack, npm, and the workers.
#include <unistd.h>

#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/load_checks.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// A server that says which release it is, on whatever path but /sick.
std::string ServerOf(const std::string& release) {
  return "const http = require('http');\n"
         "http.createServer((q, a) => {\n"
         "  if (q.url === '/sick') a.statusCode = 500;\n"
         "  a.end('" +
         release +
         "');\n"
         "}).listen(process.env.PORT);\n";
}

// A world with a gateway, and archives for it.
class Site {
 public:
  explicit Site(World& world) : world_(world) {
    world.Must({"gateway", "start", "--listen", "127.0.0.1:" + std::to_string(port_)});
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // An archive as npm pack makes it.
  std::string Pack(const std::string& name, const std::map<std::string, std::string>& files) {
    std::map<std::string, std::string> below;
    for (const auto& [file, text] : files) below["package/" + file] = text;
    const std::string folder = world_.MakeFolder("pack-" + name, below);
    const std::string archive = world_.folder() + "/" + name + ".tgz";
    const Ran ran =
        world_.BeginProgram({"tar", "-czf", archive, "-C", folder, "package"}).Wait();
    REQUIRE(ran.code == 0);
    return archive;
  }
  std::string PackServer(const std::string& release) {
    return Pack(release, {{"package.json", R"({"name":"shop","version":"1.0.0"})"},
                          {"server.js", ServerOf(release)}});
  }
  Words WordsFor(const std::string& archive, const Words& options = {}) const {
    Words words{"deploy", url(), archive, "-s", "shop"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
  Ran Deploy(const std::string& archive, const Words& options = {}) {
    return world_.Slc(WordsFor(archive, options));
  }
  // A first one, with `size` workers on a port that this knows then.
  void DeployFirst(const std::string& release, const std::string& size = "2") {
    world_.Must({"ctl", "create", "shop", "--size", size});
    world_.Must({"ctl", "env-set", "shop", "PORT=" + std::to_string(app_port_)});
    const Ran ran = Deploy(PackServer(release), {"--canary-time", "0"});
    REQUIRE_MESSAGE(ran.code == 0, ran.out << ran.err);
    CHECK(Answer() == release);
  }
  std::string Answer(const std::string& path = "/") { return Get(AppUrl(path)).body; }
  std::string AppUrl(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(app_port_) + path;
  }
  json Releases() { return world_.Json({"ctl", "releases", "shop"})["releases"]; }
  std::string ReleasesFolder() {
    return world_.home() + "/releases/" + std::to_string(world_.View("shop").id);
  }

 private:
  World& world_;
  const std::uint16_t port_ = FreePort();
  const std::uint16_t app_port_ = FreePort();
};

}  // namespace

TEST_SUITE("release") {
  TEST_CASE("an archive becomes a service, and the next one takes its place") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    const ServiceView first = world.View("shop");
    CHECK(first.state == "running");
    CHECK(Contains(first.directory, world.home() + "/releases/"));
    const Ran second = site.Deploy(site.PackServer("two"));
    INFO(second.out << second.err);
    CHECK(second.code == 0);
    CHECK(Contains(second.out, "unpacked 2 files"));
    CHECK(Contains(second.out, "2 workers run release"));
    CHECK(site.Answer() == "two");
    const json releases = site.Releases();
    REQUIRE(releases.size() == 2);
    CHECK(releases[0]["number"] == 2);
    CHECK(releases[0]["in_service"] == true);
    CHECK(releases[0]["state"] == "proven");
    CHECK(releases[1]["in_service"] == false);
    CHECK(Contains(world.Must({"events", "shop"}).out, "release in service"));
  }
}
