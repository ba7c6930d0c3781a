// slc -C URL: a slcd behind its gateway is driven with the same commands, the same text and the
// same exit codes as at its own socket.
#include <sys/stat.h>

#include <csignal>
#include <regex>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/wire/messages.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// A gateway on TCP and a unix socket.
struct Gateway {
  explicit Gateway(World& world, const Words& more = {}) : path(world.folder() + "/gateway.sock") {
    Words words{"gateway",  "start",       "--listen", "127.0.0.1:" + std::to_string(port),
                "--listen", "unix:" + path};
    words.insert(words.end(), more.begin(), more.end());
    world.Must(words);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
  std::string unix_url() const { return "unix:" + path; }

  std::uint16_t port = FreePort();
  std::string path;
};

Words At(const std::string& url, const Words& words) {
  Words all{"-C", url};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

std::string NewToken(World& world, const std::string& name, const std::string& scope) {
  return std::string(Trim(world.Must({"token", "add", name, "--scope", scope}).out));
}

Options With(const std::string& token) { return Options{.env = {{"SLC_TOKEN", token}}}; }

// Times, pids, ids and the widths they make are another matter each time.
std::string Shape(const std::string& text) {
  static const std::regex kNumber("[0-9]+([.:][0-9]+)*");
  static const std::regex kSpan("N (ms|s|h)\\b");
  static const std::regex kBlanks(" +");
  std::string shape = std::regex_replace(text, kNumber, "N");
  shape = std::regex_replace(shape, kSpan, "T");
  return std::regex_replace(shape, kBlanks, " ");
}

constexpr const char* kSlowApp = R"(
setTimeout(() => require('http').createServer((q, r) => r.end('x')).listen(process.env.PORT), 1500);
)";

// An ssh that goes no further than this machine.
void PutSsh(World& world) {
  const std::string ssh = world.folder() + "/bin/ssh";
  WriteText(
      ssh,
      "#!/usr/bin/env node\n"
      "const words = process.argv.slice(2);\n"
      "require('fs').appendFileSync(process.env.HOME + '/ssh.words', words.join(' ') + '\\n');\n"
      "if (words.includes('closed.example.org')) {\n"
      "  console.error('ssh: no route to it'); process.exit(255);\n"
      "}\n"
      "const [host, port] = words[words.indexOf('-W') + 1].split(':');\n"
      "const there = require('net').connect(port, host);\n"
      "process.stdin.pipe(there);\nthere.pipe(process.stdout);\n");
  ::chmod(ssh.c_str(), 0755);
  world.env()["PATH"] = world.folder() + "/bin:" + world.env()["PATH"];
}

}  // namespace

TEST_SUITE("remote") {
  TEST_CASE("each command says and does the same as here") {
    World world;
    const Gateway gateway(world);
    const App app = world.StartApp("express4", {"--name", "web", "--size", "2"});
    struct Row {
      Words verbs;  // of the control protocol that it needs
      Words words;
      Words between = {};  // makes it possible a second time
      bool exact = false;  // else times and numbers may differ
    };
    const std::vector<Row> rows{
        {{"list"}, {"ctl", "ls"}, {}, true},
        {{"list"}, {"ctl", "ls", "--json"}},
        {{"status"}, {"ctl"}, {}, true},
        {{"status"}, {"ctl", "status", "web"}, {}, true},
        {{"status"}, {"ctl", "status", "nix"}, {}, true},
        {{"status"}, {"ctl", "env-get", "web"}, {}, true},
        {{"print"}, {"ctl", "status", "--wide"}},
        {{"print"}, {"ctl", "status", "web", "--json"}},
        {{"info"}, {"ctl", "info"}, {}, false},
        {{"create"}, {"ctl", "create", "new"}, {"ctl", "remove", "new"}},
        {{"create"}, {"ctl", "create", "web"}, {}, true},
        {{"remove"}, {"ctl", "remove", "new"}, {"ctl", "create", "new"}},
        {{"remove"}, {"ctl", "remove", "nix"}, {}, true},
        {{"stop"}, {"ctl", "stop", "web"}, {"ctl", "start", "web"}},
        {{"start"}, {"ctl", "start", "web"}, {"ctl", "stop", "web"}},
        {{"stop"}, {"ctl", "soft-stop", "web"}, {"ctl", "start", "web"}},
        {{"start"}, {"ctl", "start", "web", "--no-wait"}, {"ctl", "stop", "web"}},
        {{"restart"}, {"ctl", "restart", "web"}},
        {{"restart"}, {"ctl", "soft-restart", "web"}},
        {{"restart"}, {"ctl", "soft-restart", "web", "--parallel", "2", "--json"}},
        {{"restart"}, {"ctl", "cluster-restart", "nix"}, {}, true},
        {{"set-size"}, {"ctl", "set-size", "web", "3"}, {"ctl", "set-size", "web", "2"}},
        {{"env-set"}, {"ctl", "env-set", "web", "A=b"}, {"ctl", "env-unset", "web", "A"}},
        {{"env-set"}, {"ctl", "env-unset", "web", "A", "--json"}, {"ctl", "env-set", "web", "A=b"}},
        {{"inspect"}, {"ctl", "cpu-start", "web.0"}, {}, true},
        {{"inspect"}, {"ctl", "dbg-start", "nix.1"}, {}, true},
        {{"print"}, {"logs"}, {}, true},
        {{"print"}, {"logs", "web", "-n", "3", "--json"}, {}, true},
        {{"print"}, {"logs", "web", "--grep", "listening", "--since", "1h", "--err"}, {}, true},
        {{"print"}, {"logs", "nix"}, {}, true},
        {{"print"}, {"ctl", "log-dump", "nix"}, {}, true},
        {{"print"}, {"events"}, {}, true},
        {{"print"}, {"events", "web", "-n", "2", "--json"}, {}, true},
        {{"print"}, {"why", "web"}},
        {{"print"}, {"why", "nix"}, {}, true},
        {{"print"}, {"ctl", "npmls", "web"}, {}, true},
        {{"print"}, {"ctl", "npmls", "web", "0", "--json"}, {}, true},
        {{"releases"}, {"ctl", "releases", "web"}, {}, true},
        {{"releases"}, {"ctl", "releases", "nix", "--json"}, {}, true},
        {{"rollback"}, {"ctl", "rollback", "web"}, {}, true},
        {{"profiles"}, {"ctl", "profiles", "web"}, {}, true},
        {{"profiles"}, {"ctl", "profiles", "nix", "--json"}, {}, true},
        {{"profile"}, {"ctl", "profile-get", "web", "7"}, {}, true},
        {{"profile-rm"}, {"ctl", "profile-rm", "web", "7"}, {}, true},
        {{}, {"ctl", "patch", "web.1", "x"}, {}, true},
    };
    std::set<std::string> covered{
        // Of its own below.
        "shutdown",
        // Refused, see "what cannot be done from afar".
        "slc-start", "upgrade", "gateway", "gateway-set", "token-add", "token-rm", "gateway-serve",
        // Of slc deploy and of git push, which have routes of their own.
        "deploy", "git",
        // slc reads these files itself, or has them printed there. They are for /v1 and /api.
        "logs", "events", "log-dump", "npmls",
        // slc writes such a file itself. It is for /v1 and /api.
        "capture"};
    for (const Row& row : rows) {
      covered.insert(row.verbs.begin(), row.verbs.end());
      const std::string command = Join(row.words, " ");
      CAPTURE(command);
      if (!row.between.empty()) world.Slc(row.between);
      const Ran here = world.Slc(row.words);
      for (const std::string& url : {gateway.url(), gateway.unix_url()}) {
        CAPTURE(url);
        if (!row.between.empty()) world.Must(row.between);
        const Ran there = world.Slc(At(url, row.words));
        CHECK(there.code == here.code);
        CHECK(Shape(there.out) == Shape(here.out));
        CHECK(Shape(there.err) == Shape(here.err));
        if (row.exact) CHECK(there.out == here.out);
      }
    }
    for (std::size_t i = 0; i < std::variant_size_v<RequestBody>; ++i) {
      CHECK_MESSAGE(covered.count(VerbAt(i)) == 1, VerbAt(i));
    }
  }

  TEST_CASE("a dump goes on where the last one ended, whoever made it") {
    World world;
    const Gateway gateway(world);
    world.StartApp("express4", {"--name", "web", "--size", "1"});
    CHECK(Contains(world.Must(At(gateway.url(), {"ctl", "log-dump", "web"})).out, "worker:1"));
    CHECK(world.Must({"ctl", "log-dump", "web"}).out.empty());
    world.Must({"ctl", "restart", "web"});
    CHECK(Contains(world.Must(At(gateway.url(), {"ctl", "log-dump", "web"})).out, "worker:2"));
  }

  TEST_CASE("shut down, everything is") {
    World world;
    const Gateway gateway(world);
    world.StartApp("plain/server.js", {"--name", "web", "--size", "1"});
    const Ran ran = world.Must(At(gateway.url(), {"ctl", "shutdown"}));
    CHECK_MESSAGE(StartsWith(ran.out, "slcd was shut down\n"), ran.out);
    WaitUntil([&] { return !world.Daemon(); }, 10'000, "slcd to end");
    const Ran after = world.Slc(At(gateway.url(), {"ctl", "ls"}));
    CHECK(after.code == 3);
    CHECK(Contains(after.err, gateway.url() + ": connect to "));
    CHECK(Contains(after.err, "slc gateway start"));
  }

  TEST_CASE("following goes on until Ctrl-C, and leaves nothing there") {
    World world;
    const Gateway gateway(world);
    world.StartApp("express4", {"--name", "web", "--size", "1"});
    for (const Words& words : {Words{"logs", "web", "-f"}, Words{"events", "-f", "--json"},
                               Words{"ctl", "log-dump", "--follow"}}) {
      CAPTURE(Join(words, " "));
      Running follower = world.Begin(At(gateway.url(), words));
      WaitUntil([&] { return !follower.out().empty(); }, 10'000, "the first lines");
      const std::size_t before = follower.out().size();
      world.Must({"ctl", "restart", "web"});
      WaitUntil([&] { return follower.out().size() > before; }, 10'000, "what comes");
      follower.Signal(SIGINT);
      CHECK(follower.Wait(5'000).code == 0);
    }
    // One that vanishes is noticed, too; at its end the world looks for what is left.
    Running follower = world.Begin(At(gateway.unix_url(), {"logs", "-f"}));
    WaitUntil([&] { return !follower.out().empty(); }, 10'000, "the first lines");
    follower.Signal(SIGKILL);
    follower.Wait();
  }

  TEST_CASE("what a worker shows comes through whole") {
    World world;
    const Gateway gateway(world);
    world.StartApp("express4", {"--name", "web", "--size", "1"});
    const auto at = [&](const Words& words) { return world.Must(At(gateway.url(), words)); };
    at({"ctl", "cpu-start", "web.1"});
    at({"ctl", "cpu-stop", "web.1", "profile"});
    CHECK(json::parse(ReadText(world.folder() + "/profile.cpuprofile"))["nodes"].is_array());
    at({"ctl", "heap-snapshot", "web.1", "heap"});
    CHECK(json::parse(ReadText(world.folder() + "/heap.heapsnapshot"))["snapshot"].is_object());
    at({"ctl", "objects-start", "web.1"});
    CHECK(Contains(at({"ctl", "objects-stop", "web.1"}).out, "Class"));
    CHECK(Contains(at({"ctl", "dbg-start", "web.1"}).out, "Debugger listening on port "));
    at({"ctl", "dbg-stop", "web.1"});
    const Ran full = world.Slc(At(gateway.url(), {"ctl", "heap-snapshot", "web.1", "no/where"}));
    CHECK(full.code == 1);
  }

  TEST_CASE("a token may do what its scope says, and the journal has its name") {
    World world;
    const Gateway gateway(world);
    world.StartApp("plain/server.js", {"--name", "web", "--size", "1"});
    struct Step {
      Words words;
      std::string scope;
    };
    const std::vector<Step> steps{{{"ctl", "ls"}, "read"},
                                  {{"logs"}, "read"},
                                  {{"ctl", "status", "--json"}, "read"},
                                  {{"ctl", "set-size", "web", "2"}, "operate"},
                                  {{"ctl", "heap-snapshot", "web.1"}, "admin"},
                                  {{"ctl", "dbg-start", "web.1"}, "admin"},
                                  {{"ctl", "env-set", "web", "A=b", "--no-restart"}, "deploy"},
                                  {{"ctl", "create", "new"}, "deploy"},
                                  {{"ctl", "remove", "new"}, "admin"}};
    const Words scopes{"read", "operate", "deploy", "admin"};
    std::map<std::string, std::string> tokens;
    for (const std::string& scope : scopes) tokens[scope] = NewToken(world, "my-" + scope, scope);
    const auto grants = [](const std::string& has, const std::string& needs) {
      return has == "admin" || has == needs || needs == "read";
    };
    for (const Step& step : steps) {
      for (const std::string& scope : scopes) {
        CAPTURE(Join(step.words, " "));
        CAPTURE(scope);
        const bool made = step.words.back() == "new" && step.scope == "deploy" && scope == "admin";
        if (made) world.Must({"ctl", "remove", "new"});
        const Ran ran = world.Slc(At(gateway.url(), step.words), With(tokens[scope]));
        CHECK(ran.code == (grants(scope, step.scope) ? 0 : 1));
        if (ran.code == 0) continue;
        CHECK_MESSAGE(
            Contains(ran.err, "token my-" + scope + " may not do this; it takes the scope '" +
                                  step.scope + "'"),
            ran.err);
      }
    }
    CHECK(Contains(world.Must({"events", "web"}).out, "by token my-operate"));
    Ran ran = world.Slc(At(gateway.url(), {"ctl", "shutdown"}), With(tokens["deploy"]));
    CHECK(ran.code == 1);
    ran = world.Slc(At(gateway.url(), {"ctl", "ls"}));
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "401 Unauthorized; it wants credentials"), ran.err);
    ran = world.Slc(At(gateway.url(), {"logs", "--json"}), With("slc_wrong"));
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.out, "these credentials are not accepted"), ran.out);
    int tries = 0;
    WaitUntil(
        [&] {
          ran = world.Slc(At(gateway.url(), {"ctl", "ls"}), With("slc_wrong"));
          return ++tries > 30 || Contains(ran.err, "429");
        },
        60'000, "429");
    CHECK_MESSAGE(Contains(ran.err, "try again in "), ran.err);
  }

  TEST_CASE("what cannot be done from afar is refused, by slc and by the gateway") {
    World world;
    const Gateway gateway(world);
    for (const Words& words : {Words{"start"}, Words{"run"}, Words{"upgrade"}, Words{"doctor"},
                               Words{"gateway"}, Words{"token", "ls"}, Words{"build"}}) {
      const Ran ran = world.Slc(At(gateway.url(), words));
      CHECK(ran.code == 2);
      CHECK_MESSAGE(Contains(ran.err, "not with -C " + gateway.url() + ": "), ran.err);
    }
    const auto post = [&](const std::string& body) {
      return world
          .BeginProgram({"curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", "--data-binary",
                         body, gateway.url() + "/v1/control"})
          .Wait()
          .out;
    };
    StartService start;
    start.spec.name = "x";
    start.spec.directory = "/";
    start.spec.script = "x.js";
    AddCredential add;
    add.credential.name = "x";
    add.credential.hash = std::string(64, 'a');
    add.credential.scopes = {Scope::kRead};
    for (const RequestBody& body :
         std::vector<RequestBody>{start, UpgradeAll{}, GetGateway{}, SetGateway{}, add,
                                  RemoveCredential{"x"}, ServeGateway{}}) {
      Request request;
      request.id = "abc";
      request.body = body;
      const std::string said = post(EncodeRequest(request));
      CHECK_MESSAGE(Contains(said, "is not done for other machines"), said.substr(4));
      CHECK(EndsWith(said, "403"));
    }
    // Versions that do not meet, verbs of the future, and what is no request at all.
    const std::string ahead = post(R"({"v":99,"oldest":98,"id":"a","verb":"list","args":{}})");
    CHECK_MESSAGE(Contains(ahead, "speaks protocol 1, the client 99"), ahead.substr(4));
    CHECK(EndsWith(ahead, "400"));
    const std::string later = post(R"({"v":2,"oldest":1,"id":"a","verb":"levitate","args":{}})");
    CHECK_MESSAGE(Contains(later, "does not know 'levitate'"), later);
    CHECK(EndsWith(post("{"), "400"));
    CHECK(EndsWith(post(R"({"v":1,"id":"a b","verb":"list"})"), "400"));
    // A member that is not known yet is passed over, as at slcd's own socket.
    CHECK(EndsWith(post(R"({"v":2,"oldest":1,"id":"a","new":1,"verb":"list","args":{}})"), "200"));
    // Nobody is heard in another's name.
    post(R"({"v":1,"id":"b","principal":"token boss","verb":"create","args":{"name":"x"}})");
    const std::string events = world.Must({"events"}).out;
    CHECK(Contains(events, "create done"));
    CHECK_FALSE(Contains(events, "boss"));
  }

  TEST_CASE("a connection that breaks on the way is made anew, and nothing is done twice") {
    World world;
    const Gateway gateway(world);
    const std::string folder = world.MakeFolder("slow", {{"server.js", kSlowApp}});
    world.StartPath(folder, {"--name", "web", "--size", "1"});
    Generation generation = world.View("web").generation;
    const auto during = [&](const std::function<void()>& blow) {
      Running running = world.Begin(At(gateway.url(), {"ctl", "soft-restart", "web"}));
      WaitUntil([&] { return world.View("web").generation > generation; }, 10'000, "the roll");
      blow();
      const Ran ran = running.Wait();
      CHECK_MESSAGE(ran.code == 0, ran.err);
      CHECK_MESSAGE(Contains(ran.out, "soft restarted: 1 worker, generation "), ran.out);
      CHECK(world.View("web").generation == ++generation);
    };
    SUBCASE("the gateway is killed") {
      world.ExpectInLog("the gateway has ended (killed by SIGKILL");
      during([&] {
        const int pid = world.Json({"gateway", "--json"})["gateway"]["pid"];
        REQUIRE(::kill(pid, SIGKILL) == 0);
      });
    }
    SUBCASE("slcd is killed") {
      during([&] {
        world.KillDaemon();
        world.Must({"ctl"});
      });
    }
    SUBCASE("the client is killed and asks no more") {
      Running running = world.Begin(At(gateway.url(), {"ctl", "soft-restart", "web"}));
      WaitUntil([&] { return world.View("web").generation > generation; }, 10'000, "the roll");
      running.Signal(SIGKILL);
      running.Wait();
      WaitUntil([&] { return world.ReadyPids("web").size() == 1; }, 10'000, "its end");
    }
    SUBCASE("Ctrl-C detaches") {
      Running running = world.Begin(At(gateway.url(), {"ctl", "soft-restart", "web"}));
      WaitUntil([&] { return world.View("web").generation > generation; }, 10'000, "the roll");
      running.Signal(SIGINT);
      const Ran ran = running.Wait(5'000);
      CHECK(ran.code == 130);
      CHECK_MESSAGE(Contains(ran.err, "detached; slcd goes on"), ran.err);
    }
  }

  TEST_CASE("who waits hears that slcd lives") {
    World world;
    const Gateway gateway(world);
    const std::string folder = world.MakeFolder(
        "slow", {{"server.js",
                  "setTimeout(() => require('http').createServer((q, r) => r.end('x'))"
                  ".listen(process.env.PORT), Number(process.env.BOOT || 0));"}});
    world.StartPath(folder, {"--name", "web", "--size", "1"});
    Request request;
    request.id = "abc";
    SetEnvironment change;
    change.service = "web";
    change.set = {{"BOOT", "7000"}};
    request.body = change;
    const Ran ran = world
                        .BeginProgram({"curl", "-sS", "--max-time", "30", "--data-binary",
                                       EncodeRequest(request), gateway.url() + "/v1/control"})
                        .Wait();
    CHECK(ran.took >= 7'000);
    const std::string sign(4, '\0');
    const std::size_t first = ran.out.find(sign);
    REQUIRE(first != std::string::npos);
    CHECK(ran.out.find("\"reply\"") > first);
    CHECK(Contains(ran.out, "\"ok\":true"));
    // The same, as slc sees it.
    CHECK(world.Must(At(gateway.url(), {"ctl", "soft-restart", "web"})).took >= 7'000);
  }

  TEST_CASE("over TLS and over ssh it is the same") {
    World world;
    const World::Certificate certificate = world.MakeCertificate();
    SUBCASE("TLS") {
      const Gateway gateway(world,
                            {"--tls-cert", certificate.certificate, "--tls-key", certificate.key});
      world.Must({"ctl", "create", "web"});
      const std::string url = "https://localhost:" + std::to_string(gateway.port);
      const std::string list = world.Must({"ctl", "ls"}).out;
      CHECK(world.Must({"ctl", "-C", url, "--cacert", certificate.certificate, "ls"}).out == list);
      CHECK(world.Must({"ctl", "ls", "-C", url, "--cacert", certificate.certificate}).out == list);
      const Options trusted{.env = {{"SLC_CACERT", certificate.certificate}}};
      CHECK(world.Must(At(url, {"ctl", "ls"}), trusted).out == list);
      CHECK(world.Must(At(url, {"events"}), trusted).out == world.Must({"events"}).out);
      const Ran ran = world.Slc(At(url, {"ctl", "ls"}));
      CHECK(ran.code == 3);
      CHECK_MESSAGE(Contains(ran.err, url + ": "), ran.err);
      CHECK_MESSAGE(Contains(ran.err, "is not trusted: self"), ran.err);
      CHECK_FALSE(Contains(ran.err, "tried"));
    }
    SUBCASE("ssh") {
      const Gateway gateway(world);
      PutSsh(world);
      world.Must({"ctl", "create", "web"});
      const std::string url = "http+ssh://joe@box.example.org:" + std::to_string(gateway.port);
      CHECK(world.Must(At(url, {"ctl", "ls"})).out == world.Must({"ctl", "ls"}).out);
      CHECK(world.Must(At(url, {"events"})).out == world.Must({"events"}).out);
      CHECK(LinesOf(ReadText(world.folder() + "/ssh.words"))[0] ==
            "-W 127.0.0.1:" + std::to_string(gateway.port) + " -l joe -- box.example.org");
      // Two questions, one login.
      const std::size_t logins = LinesOf(ReadText(world.folder() + "/ssh.words")).size();
      world.Slc(At(url, {"ctl", "dbg-stop", "web.1"}));
      CHECK(LinesOf(ReadText(world.folder() + "/ssh.words")).size() == logins + 1);
      const Ran ran = world.Slc(At("http+ssh://closed.example.org", {"ctl", "ls"}));
      CHECK(ran.code == 3);
      CHECK_MESSAGE(Contains(ran.err, "ssh: no route to it"), ran.err);
      CHECK_MESSAGE(Contains(ran.err, "http+ssh://closed.example.org:8701: "), ran.err);
      CHECK(LinesOf(ReadText(world.folder() + "/ssh.words")).size() == logins + 2);
    }
  }

  TEST_CASE("the environment may say where slcd is; the command line counts for more") {
    World world;
    const Gateway gateway(world);
    world.Must({"ctl", "create", "web"});
    const auto env = [](const std::string& name, const std::string& url) {
      return Options{.env = {{name, url}}};
    };
    const std::string nowhere = "http://user:sesame@127.0.0.1:1";
    CHECK(world.Must({"ctl", "ls"}, env("STRONGLOOP_PM", gateway.url())).out ==
          world.Must({"ctl", "ls"}).out);
    for (const char* name : {"STRONGLOOP_PM", "STRONGLOOP_MESH_API"}) {
      Ran ran = world.Slc({"events"}, env(name, nowhere));
      CHECK(ran.code == 3);
      CHECK_MESSAGE(Contains(ran.err, "http://127.0.0.1:1: "), ran.err);
      CHECK_FALSE(Contains(ran.err, "sesame"));
      CHECK(world.Slc(At(gateway.url(), {"events"}), env(name, nowhere)).code == 0);
      CHECK(world.Slc({"ctl", "-C", world.socket(), "ls"}, env(name, nowhere)).code == 0);
      // These are about this machine, always.
      CHECK(world.Slc({"token", "ls"}, env(name, nowhere)).code == 0);
      ran = world.Slc({"ctl", "ls"}, env(name, "nonsense"));
      CHECK(ran.code == 2);
      CHECK_MESSAGE(Contains(ran.err, std::string(name) + ": "), ran.err);
    }
  }

  TEST_CASE("who is no gateway of ours is told apart") {
    World world;
    const std::string script =
        "require('http').createServer((q, r) => { r.statusCode = 404; r.end('{\"error\":"
        "{\"message\":\"there is nothing here\"}}'); }).listen(0, '127.0.0.1', function () "
        "{ console.log(this.address().port); });";
    Running other = world.BeginProgram({"node", "-e", script});
    WaitUntil([&] { return EndsWith(other.out(), "\n"); }, 20'000, "the server to listen");
    const std::string url = "http://127.0.0.1:" + std::string(Trim(other.out()));
    for (const Words& words : {Words{"ctl", "stop", "web"}, Words{"logs"}}) {
      const Ran ran = world.Slc(At(url, words));
      CHECK(ran.code == 3);
      CHECK_MESSAGE(Contains(ran.err, url + ": 404 Not Found; what listens there is not slc's "
                                            "gateway, or one of an earlier version"),
                    ran.err);
    }
  }
}
