// Deploys, end to end: slc deploy, the gateway, slcd, slc-unpack, npm, and the workers.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iterator>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
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

// The same; `health` is its status at /health.
std::string ServerWithHealth(const std::string& release, int health) {
  return "const http = require('http');\n"
         "http.createServer((q, a) => {\n"
         "  if (q.url === '/health') a.statusCode = " +
         std::to_string(health) +
         ";\n"
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
    std::string archive = world_.folder() + "/" + name + ".tgz";
    const Ran ran = world_.BeginProgram({"tar", "-czf", archive, "-C", folder, "package"}).Wait();
    REQUIRE(ran.code == 0);
    return archive;
  }
  std::string PackServer(const std::string& release) {
    return PackText(release, ServerOf(release));
  }
  std::string PackText(const std::string& name, const std::string& server) {
    return Pack(name,
                {{"package.json", R"({"name":"shop","version":"1.0.0"})"}, {"server.js", server}});
  }
  // One whose npm runs `script`, which lies beside it.
  std::string PackInstalling(const std::string& release, const std::string& script) {
    return Pack(
        release,
        {{"package.json", R"({"name":"shop","version":"1.0.0","scripts":{"install":"node i.js"}})"},
         {"server.js", ServerOf(release)},
         {"i.js", script}});
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
    SetPort();
    const Ran ran = Deploy(PackServer(release), {"--canary-time", "0"});
    REQUIRE_MESSAGE(ran.code == 0, ran.out << ran.err);
    CHECK(Answer() == release);
  }
  void SetPort() { world_.Must({"ctl", "env-set", "shop", "PORT=" + std::to_string(app_port_)}); }
  std::string Answer(const std::string& path = "/") { return Get(AppUrl(path)).body; }
  std::string AppUrl(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(app_port_) + path;
  }
  json Releases() { return world_.Json({"ctl", "releases", "shop"})["releases"]; }
  // Nothing of a deploy is under way or left, and `release` runs, whole.
  void CheckSettled(const std::string& release, std::size_t releases) {
    const std::string folder = world_.home() + "/releases/1";
    WaitUntil([&] { return !Exists(folder + "/deploy.json"); }, 30'000, "the end of the deploy");
    world_.WaitForState("shop", "running", 30'000);
    WaitUntil([&] { return NoStaging(); }, 10'000, "the staging folder to go");
    for (int i = 0; i < 4; ++i) CHECK(Answer() == release);
    const json list = Releases();
    CHECK(list.size() == releases);
    for (const json& each : list) {
      CHECK(each["state"] == "proven");
      if (each["in_service"] == true) {
        CHECK(world_.View("shop").directory == folder + "/" + each["name"].get<std::string>());
      }
    }
  }
  bool NoStaging() const {
    const auto folder = OpenPrivateDirectoryAt(AT_FDCWD, world_.home() + "/releases/1", false);
    const auto names = folder ? ListDirectory(folder->get())
                              : Result<std::vector<std::string>>(std::vector<std::string>{});
    REQUIRE(names.ok());
    return std::none_of(names->begin(), names->end(),
                        [](const std::string& name) { return StartsWith(name, ".staging"); });
  }
  // The deploy under way is there.
  void AwaitPhase(const std::string& phase) {
    WaitUntil(
        [&] {
          // Changes nothing where there is no deploy.
          const Ran ran = world_.Slc({"ctl", "env-unset", "shop", "NOBODY_SETS_THIS"});
          return Contains(ran.err, "(" + phase + ")");
        },
        20'000, phase);
  }

 private:
  World& world_;
  const std::uint16_t port_ = FreePort();
  const std::uint16_t app_port_ = FreePort();
};

// One that listens only when there is a file `gate`; but the worker in slot `free` does at once.
std::string GatedServer(const std::string& release, const std::string& gate,
                        const std::string& free = "") {
  return "const fs = require('fs');\n"
         "const serve = () => { " +
         ServerOf(release) +
         " };\n"
         "const look = () => (fs.existsSync('" +
         gate + "') || process.env.SLC_SLOT === '" + free +
         "' ? serve() : setTimeout(look, 20));\n"
         "look();\n";
}

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

  TEST_CASE("what does not come up leaves the one before in service, and says why") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    const std::string before = world.View("shop").directory;
    const auto stays = [&](const Ran& ran, const std::string& reason) {
      INFO(ran.out << ran.err);
      CHECK(ran.code == 1);
      CHECK(Contains(ran.err, reason));
      CHECK(site.Answer() == "one");
      CHECK(world.View("shop").directory == before);
      site.CheckSettled("one", 1);
    };
    WriteText(world.folder() + "/junk.tgz", "no archive");
    stays(site.Deploy(world.folder() + "/junk.tgz"), "stays in service");
    const Ran crash = site.Deploy(site.PackText("crash", "throw new Error('on purpose');\n"));
    stays(crash, "is back in service");
    CHECK(Contains(crash.err, "Error: on purpose"));
    stays(site.Deploy(site.Pack("empty", {{"package.json", R"({"name":"shop"})"}})),
          "no script found");
    const Ran npm =
        site.Deploy(site.PackInstalling("npm", "console.log('seen'); process.exit(3);"));
    stays(npm, "npm install");
    CHECK(Contains(npm.out, "seen"));
    stays(site.Deploy(site.PackServer("sick"), {"--health", "/sick"}), "answers with status 500");
    const Ran dies = site.Deploy(
        site.PackText("dies", ServerOf("dies") + "setTimeout(() => process.exit(7), 500);"),
        {"--canary-time", "20s"});
    stays(dies, "is back in service");
    // What was said of the service with a release that failed does not hold.
    CHECK(world.Json({"ctl", "status", "shop"})[0]["directory"] == before);
  }

  TEST_CASE("npm's output is told while it runs, and what it has made is used") {
    World world;
    Site site(world);
    world.Must({"ctl", "create", "shop", "--size", "1"});
    site.SetPort();
    const std::string archive = site.Pack(
        "made", {{"package.json",
                  R"({"name":"shop","scripts":{"install":"node i.js","start":"node made.js"}})"},
                 {"i.js", "console.log('making'); require('fs').copyFileSync('s.js', 'made.js');"},
                 {"s.js", ServerOf("made")}});
    const Ran ran = site.Deploy(archive);
    INFO(ran.out << ran.err);
    CHECK(ran.code == 0);
    CHECK(Contains(ran.out, "running npm install"));
    CHECK(Contains(ran.out, "making"));
    CHECK(Contains(world.View("shop").directory, "/releases/"));
    CHECK(Contains(site.Releases()[0]["npm"].get<std::string>(), "npm install"));
    CHECK(site.Deploy(archive, {"--no-npm"}).code == 1);
  }

  TEST_CASE("a release is tried by one worker; if that ends, the processes of before are there") {
    World world;
    Site site(world);
    site.DeployFirst("one", "3");
    const std::vector<int> before = world.ReadyPids("shop");
    Running deploy = world.Begin(site.WordsFor(site.PackServer("two"), {"--canary-time", "60s"}));
    std::vector<int> now;
    WaitUntil(
        [&] {
          now = world.ReadyPids("shop");
          return now.size() == 4;
        },
        20'000, "a fourth worker");
    std::vector<int> canary;
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                        std::back_inserter(canary));
    REQUIRE(canary.size() == 1);
    WaitUntil([&] { return site.Answer() == "two"; }, 10'000, "an answer of the canary");
    REQUIRE(::kill(canary.front(), SIGKILL) == 0);
    const Ran ran = deploy.Wait();
    INFO(ran.out << ran.err);
    CHECK(ran.code == 1);
    CHECK(Contains(ran.err, "its canary"));
    CHECK(Contains(ran.err, "is back in service"));
    site.CheckSettled("one", 1);
    CHECK(world.ReadyPids("shop") == before);
  }

  TEST_CASE("the way back needs nothing of the old folder, which may be gone") {
    World world;
    Site site(world);
    const std::string folder = world.MakeFolder("place", {{"server.js", ServerOf("placed")}});
    const App app = world.StartPath(folder, {"--name", "shop", "--size", "2"});
    const std::vector<int> before = world.ReadyPids("shop");
    Running deploy = world.Begin(site.WordsFor(
        site.PackText("bad", ServerOf("bad") + "setTimeout(() => process.exit(7), 2000);"),
        {"--canary-time", "60s"}));
    site.AwaitPhase("canary");
    REQUIRE(::rename(folder.c_str(), (folder + "-gone").c_str()) == 0);
    const Ran ran = deploy.Wait();
    INFO(ran.out << ran.err);
    CHECK(ran.code == 1);
    CHECK(Contains(ran.err, "is back in service"));
    CHECK(world.ReadyPids("shop") == before);
    CHECK(Get(app.url()).body == "placed");
    CHECK(world.View("shop").directory == folder);
  }

  TEST_CASE("the health of a release is that of its canary, whatever the others answer") {
    for (const std::string balance : {"rr", "slots", "sticky"}) {
      CAPTURE(balance);
      World world;
      if (balance == "slots") world.ExpectMoreSockets("shop", 3);
      Site site(world);
      const std::string folder =
          world.MakeFolder("place", {{"server.js", ServerWithHealth("placed", 404)}});
      const App app =
          world.StartPath(folder, {"--name", "shop", "--size", "3", "--balance", balance});
      const std::vector<int> before = world.ReadyPids("shop");
      const Words options{"--canary-time", "100ms", "--health", "/health"};
      const Ran bad = site.Deploy(site.PackText("bad", ServerWithHealth("bad", 503)), options);
      INFO(bad.out << bad.err);
      CHECK(bad.code == 1);
      CHECK(Contains(bad.err, "answers with status 503"));
      CHECK(world.ReadyPids("shop") == before);
      CHECK(Get(app.url()).body == "placed");
      const Ran good = site.Deploy(site.PackText("good", ServerWithHealth("good", 200)), options);
      INFO(good.out << good.err);
      CHECK(good.code == 0);
      CHECK(Get(app.url()).body == "good");
    }
  }

  TEST_CASE("releases are kept, rolled back to, and pruned") {
    World world;
    Site site(world);
    site.DeployFirst("r1");
    for (const char* release : {"r2", "r3", "r4"}) {
      const Ran ran = site.Deploy(site.PackServer(release), {"--keep", "2"});
      REQUIRE_MESSAGE(ran.code == 0, ran.out << ran.err);
    }
    CHECK(site.Releases().size() == 2);
    CHECK(site.Answer() == "r4");
    world.Must({"ctl", "rollback", "shop"});
    CHECK(site.Answer() == "r3");
    CHECK(Contains(world.Slc({"ctl", "rollback", "shop"}).err, "no release before"));
    CHECK(Contains(world.Slc({"ctl", "rollback", "shop", "3"}).err, "in service already"));
    world.Must({"ctl", "rollback", "shop", "4"});
    CHECK(site.Answer() == "r4");
    const std::string hash = site.Releases()[1]["hash"];
    const json back = world.Json({"ctl", "rollback", "shop", hash.substr(0, 8)});
    CHECK(back["ok"] == true);
    CHECK(site.Answer() == "r3");
    const std::string text = world.Must({"ctl", "releases", "shop"}).out;
    CHECK(Contains(text, "in service"));
    CHECK(Contains(text, "archive"));
    // All of it goes with the service.
    world.Must({"ctl", "remove", "shop"});
    WaitUntil([&] { return !Exists(world.home() + "/releases/1"); }, 10'000, "its releases to go");
  }

  TEST_CASE("one that runs in place is deployed to, and can be gone back to") {
    World world;
    Site site(world);
    const std::string folder = world.MakeFolder("place", {{"server.js", ServerOf("placed")}});
    const App app = world.StartPath(folder, {"--name", "shop", "--size", "1"});
    const Ran ran = site.Deploy(site.PackServer("two"), {"--canary-time", "0"});
    INFO(ran.out << ran.err);
    CHECK(ran.code == 0);
    CHECK(Get(app.url()).body == "two");
    world.Must({"ctl", "rollback", "shop"});
    CHECK(Get(app.url()).body == "placed");
    CHECK(world.View("shop").directory == folder);
  }

  TEST_CASE("where the workers are another user's, so is the release, and what npm does") {
    if (!Possible(::geteuid() == 0, "--run-as needs root")) return;
    World world;
    Site site(world);
    const std::string folder = world.MakeFolder("place", {{"server.js", ServerOf("placed")}});
    for (const std::string& path : {world.folder(), world.folder() + "/apps", folder}) {
      REQUIRE(::chmod(path.c_str(), 0755) == 0);
    }
    REQUIRE(::chmod((folder + "/server.js").c_str(), 0644) == 0);
    const App app = world.StartPath(folder, {"--name", "shop", "--run-as", "nobody"});
    const std::string uid(Trim(world.BeginProgram({"id", "-u", "nobody"}).Wait().out));
    const Ran ran = site.Deploy(site.PackInstalling(
        "two",
        "console.log('npm is ' + process.getuid()); require('fs').writeFileSync('made', '');"));
    INFO(ran.out << ran.err);
    CHECK(ran.code == 0);
    CHECK(Contains(ran.out, "npm is " + uid));
    CHECK(Get(app.url()).body == "two");
    const std::string release = world.View("shop").directory;
    CHECK(Contains(release, "/releases/"));
    for (const char* file : {"", "/server.js", "/made"}) {
      CAPTURE(file);
      struct stat info {};
      REQUIRE(::stat((release + file).c_str(), &info) == 0);
      CHECK(std::to_string(info.st_uid) == uid);
    }
    // What says which release it is cannot be written by the app.
    struct stat info {};
    REQUIRE(::stat((release + ".json").c_str(), &info) == 0);
    CHECK(info.st_uid == 0);
    CHECK((info.st_mode & 077) == 0);
    const Ran bad = site.Deploy(site.PackText("bad", "process.exit(1);"));
    CHECK(bad.code == 1);
    CHECK(Get(app.url()).body == "two");
    world.Must({"ctl", "rollback", "shop"});
    CHECK(Get(app.url()).body == "placed");
  }

  TEST_CASE("one at a time; a stop ends it, and a stopped service stays stopped") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    Running first = world.Begin(site.WordsFor(site.PackServer("two"), {"--canary-time", "60s"}));
    site.AwaitPhase("canary");
    const Ran second = site.Deploy(site.PackServer("three"));
    CHECK(second.code == 1);
    CHECK(Contains(second.err, "is under way, by user"));
    world.Must({"ctl", "set-size", "shop", "3"});
    world.Must({"ctl", "stop", "shop"});
    const Ran cancelled = first.Wait();
    CHECK(cancelled.code == 1);
    CHECK(Contains(cancelled.err, "the service is to be down"));
    CHECK(world.View("shop").state == "stopped");
    const Ran third = site.Deploy(site.PackServer("three"));
    INFO(third.out << third.err);
    CHECK(third.code == 0);
    CHECK(world.View("shop").state == "stopped");
    world.Must({"ctl", "start", "shop"});
    CHECK(site.Answer() == "three");
    CHECK(world.View("shop").cluster_size == 3);
  }

  TEST_CASE("a branch that is pushed is deployed before it is taken, and refused if that fails") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    const std::string folder = world.MakeFolder(
        "app", {{"package.json", R"({"name":"shop"})"}, {"server.js", ServerOf("pushed")}});
    const Options there{.cwd = folder};
    const auto git = [&](const Words& words) {
      Words all{"git", "-c", "user.name=a", "-c", "user.email=a@example"};
      all.insert(all.end(), words.begin(), words.end());
      const Ran ran = world.BeginProgram(all, there).Wait();
      REQUIRE_MESSAGE(ran.code == 0, ran.out << ran.err);
    };
    git({"init", "-q", "-b", "deploy"});
    git({"add", "."});
    git({"commit", "-q", "-m", "one"});
    const Words push{"deploy", site.url(), "deploy", "-s", "shop"};
    const Ran first = world.Slc(push, there);
    INFO(first.out << first.err);
    CHECK(first.code == 0);
    CHECK(Contains(first.err, "2 workers run release"));
    CHECK(site.Answer() == "pushed");
    CHECK(site.Releases()[0]["origin"] == "git");
    CHECK(site.Releases()[0]["branch"] == "deploy");
    CHECK(Contains(world.Slc(push, there).out, "Unchanged"));
    WriteText(folder + "/server.js", "throw new Error('on purpose');\n");
    git({"commit", "-q", "-a", "-m", "two"});
    const Ran bad = world.Slc(push, there);
    INFO(bad.out << bad.err);
    CHECK(bad.code == 1);
    CHECK(Contains(bad.err, "on purpose"));
    CHECK(site.Answer() == "pushed");
    // It was not taken: to push it once more is to deploy it once more.
    CHECK(world.Slc(push, there).code == 1);
    const Ran wrong =
        world
            .BeginProgram(
                {"git", "push", site.url() + "/api/services/9/deploy/default", "deploy:deploy"},
                there)
            .Wait();
    CHECK(wrong.code != 0);
    // What is there can be seen.
    CHECK(world
              .BeginProgram({"git", "ls-remote", site.url() + "/api/services/1/deploy/default"},
                            there)
              .Wait()
              .code == 0);
  }

  TEST_CASE("no request fails while good and bad releases come") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    LoadClient load(world, {"url=" + site.AppUrl() + ",connections=4",
                            "url=" + site.AppUrl() + ",connections=2,mode=close"});
    CHECK(site.Deploy(site.PackServer("two"), {"--canary-time", "500ms"}).code == 0);
    CHECK(site.Deploy(site.PackText("bad", "process.exit(1);")).code == 1);
    CHECK(site.Deploy(site.PackServer("sick"), {"--health", "/sick"}).code == 1);
    world.Must({"ctl", "rollback", "shop"});
    const LoadReport report = load.Stop();
    INFO(report.text);
    CHECK(report.failed() == 0);
    CHECK(report.ok() > 0);
  }
}

TEST_SUITE("release-killed") {
  // slcd is killed with `words` under way in `phase`, and comes back.
  void KillIn(World & world, Site & site, const std::string& archive, const Words& options,
              const std::string& phase) {
    world.ExpectInLog("was under way when slcd ended");
    world.ExpectInLog("gateway");
    Running deploy = world.Begin(site.WordsFor(archive, options));
    site.AwaitPhase(phase);
    // What counts for the next slcd is what is on the disk, which comes behind.
    std::string step = phase == "installing" ? "preparing" : phase;
    std::replace(step.begin(), step.end(), ' ', '_');
    WaitUntil(
        [&] {
          return Contains(ReadText(world.home() + "/releases/1/deploy.json"), '"' + step + '"');
        },
        10'000, "the record of the step");
    world.KillDaemon();
    CHECK(deploy.Wait().code == 1);
  }

  TEST_CASE("while npm runs: the one before stays, and nothing is left") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    const std::string archive = site.PackInstalling("two", "setInterval(() => {}, 1000);");
    KillIn(world, site, archive, {}, "installing");
    site.CheckSettled("one", 1);
  }

  TEST_CASE("while its canary serves: the one before is back") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    KillIn(world, site, site.PackServer("two"), {"--canary-time", "60s"}, "canary");
    site.CheckSettled("one", 1);
  }

  TEST_CASE("while it rolls: the roll goes on to its end") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    const std::string gate = world.folder() + "/gate";
    KillIn(world, site, site.PackText("two", GatedServer("two", gate, "0")), {"--canary-time", "0"},
           "rolling");
    world.Must({"ctl", "status", "shop"});
    WriteText(gate, "");
    site.CheckSettled("two", 2);
  }

  TEST_CASE("while the one before comes back: it does") {
    World world;
    Site site(world);
    const std::string gate = world.folder() + "/gate";
    world.Must({"ctl", "create", "shop", "--size", "2"});
    site.SetPort();
    WriteText(gate, "");
    REQUIRE(site.Deploy(site.PackText("one", GatedServer("one", gate))).code == 0);
    REQUIRE(::unlink(gate.c_str()) == 0);
    // Its first worker, in slot 0, is well; what makes room for the second is not back at once.
    KillIn(world, site,
           site.PackText("bad",
                         "if (process.env.SLC_SLOT !== '0') process.exit(1);" + ServerOf("bad")),
           {"--canary-time", "0"}, "rolling back");
    world.Must({"ctl", "status", "shop"});
    WriteText(gate, "");
    site.CheckSettled("one", 1);
  }

  TEST_CASE("at any moment: one of both is whole") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    world.ExpectInLog("was under way when slcd ended");
    world.ExpectInLog("gateway");
    std::string serves = "one";
    std::size_t count = 1;
    const int kills = Long() ? 40 : 6;
    for (int i = 0; i < kills; ++i) {
      const std::string release = "r" + std::to_string(i);
      const std::string archive = site.PackServer(release);
      Running deploy = world.Begin(site.WordsFor(archive, {"--canary-time", "100ms"}));
      // Spread over what a deploy takes here.
      const Millis at = BootNow() + 20 + 60 * i % 480;
      WaitUntil([&] { return BootNow() >= at; }, 5'000, "the moment");
      world.KillDaemon();
      deploy.Wait();
      world.Must({"ctl", "status", "shop"});
      WaitUntil([&] { return !Exists(world.home() + "/releases/1/deploy.json"); }, 30'000,
                "the end of the deploy");
      world.WaitForState("shop", "running", 30'000);
      WaitUntil([&] { return site.NoStaging(); }, 10'000, "the staging folder to go");
      const std::string now = site.Answer();
      CHECK_MESSAGE((now == serves || now == release), now);
      if (now == release) ++count;
      serves = now;
      for (int each = 0; each < 4; ++each) CHECK(site.Answer() == serves);
      CHECK(site.Releases().size() == std::min<std::size_t>(count, 5));
      WaitUntil([&] { return Get(site.url() + "/healthz").status == 200; }, 20'000, "the gateway");
    }
  }

  TEST_CASE("the gateway, while the archive comes: the one before stays") {
    World world;
    Site site(world);
    site.DeployFirst("one");
    world.ExpectInLog("the gateway has ended");
    const std::string fifo = world.folder() + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    Running upload = world.BeginProgram(
        {"curl", "-sS", "-T", fifo, site.url() + "/api/services/shop/deploy/default"});
    const UniqueFd pipe(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(pipe);
    const std::string archive = ReadText(site.PackServer("two"));
    REQUIRE(WriteAll(pipe.get(), archive.substr(0, archive.size() / 2)).ok());
    site.AwaitPhase("uploading");
    const json gateway = world.Json({"gateway"})["gateway"];
    REQUIRE(::kill(gateway["pid"].get<int>(), SIGKILL) == 0);
    site.CheckSettled("one", 1);
  }
}
