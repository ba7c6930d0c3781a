// Bad input: one clear line, the right exit code, and everything stays as it was.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/wire/client.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// All that a refused command must leave alone.
struct Picture {
  std::string wishes;
  std::vector<int> pids;
  bool operator==(const Picture&) const = default;
};
Picture Take(World& world) {
  Picture picture;
  for (int id = 1; id <= 5; ++id) {
    picture.wishes += ReadText(world.home() + "/services/" + std::to_string(id) + ".json");
  }
  for (const ServiceView& view : world.Views()) {
    picture.wishes += view.name + " " + view.state + " " + view.reason + "\n";
    for (const ProcessView& process : view.processes) picture.pids.push_back(process.pid);
  }
  return picture;
}

struct Bad {
  Words words;
  int code;          // 1 refused, 2 wrong usage
  std::string says;  // part of the one line
};

// A world with one service, my-app, of two workers; every bad command is tried on it.
void Try(World& world, const std::vector<Bad>& all) {
  const Picture before = Take(world);
  for (const Bad& bad : all) {
    INFO("slc " << Join(bad.words, " "));
    const Ran ran = world.Slc(bad.words);
    INFO(ran.out << ran.err);
    CHECK(ran.code == bad.code);
    CHECK(ran.out == "");
    CHECK(LinesOf(ran.err).size() == 1);
    CHECK(Contains(ran.err, bad.says));
    CHECK(Take(world) == before);
  }
}

App StartMyApp(World& world) {
  return world.StartApp("plain/server.js", {"--size", "2", "--name", "my-app"});
}

// As `user` where we are root, to whom nothing is unreadable.
Words AsNobody(const Words& command) {
  if (::geteuid() != 0) return command;
  Words words{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Result<std::optional<ServerMessage>> Send(World& world, RequestBody body) {
  auto client = ControlClient::Connect(world.socket());
  REQUIRE(client);
  REQUIRE(client->Send(Request{"", true, std::move(body)}));
  return client->Receive(5'000);
}

}  // namespace

TEST_SUITE("bad-input") {
  TEST_CASE("an unknown service, for every command that takes one; near misses are named") {
    World world;
    StartMyApp(world);
    std::vector<Bad> all;
    for (const Words& words : {Words{"status"},
                               {"start"},
                               {"stop"},
                               {"soft-stop"},
                               {"restart"},
                               {"soft-restart"},
                               {"cluster-restart"},
                               {"env-get"},
                               {"npmls"},
                               {"remove"},
                               {"log-dump"}}) {
      all.push_back({{"ctl", words[0], "nobody"}, 1, "there is no service 'nobody'"});
    }
    all.push_back({{"ctl", "set-size", "nobody", "2"}, 1, "there is no service 'nobody'"});
    all.push_back({{"ctl", "env-set", "nobody", "A=1"}, 1, "there is no service 'nobody'"});
    all.push_back({{"ctl", "env-unset", "nobody", "A"}, 1, "there is no service 'nobody'"});
    all.push_back({{"logs", "nobody"}, 1, "there is no service 'nobody'"});
    all.push_back({{"ctl", "stop", "my-ap"}, 1, "did you mean 'my-app'?"});
    all.push_back({{"ctl", "stop", "2"}, 1, "there is no service '2'"});
    all.push_back({{"ctl", "stop", ""}, 2, "SVC must not be empty"});
    Try(world, all);
  }

  TEST_CASE("an unknown command or option; what was meant is guessed") {
    World world;
    StartMyApp(world);
    Try(world, {{{"strat"}, 2, "unknown command 'strat'; did you mean 'slc start'?"},
                {{"stop", "my-app"}, 2, "did you mean 'slc ctl stop'?"},
                {{"xyzzy"}, 2, "unknown command 'xyzzy'"},
                {{"--frob"}, 2, "unknown option '--frob'"},
                {{"ctl", "stopp", "my-app"}, 2, "did you mean 'slc ctl stop'?"},
                {{"ctl", "xyzzy"}, 2, "unknown command 'xyzzy'"},
                {{"ctl", "ls", "--jsn"}, 2, "did you mean '--json'?"},
                {{"ctl", "stop", "my-app", "--size", "1"}, 2, "unknown option '--size'"},
                {{"start", "--prot", "80"}, 2, "did you mean '--port'?"},
                {{"start", "--port"}, 2, "needs a value"},
                {{"ctl", "-C"}, 2, "needs a value"}});
  }

  TEST_CASE("missing and superfluous arguments") {
    World world;
    StartMyApp(world);
    std::vector<Bad> all;
    for (const char* verb :
         {"start", "stop", "soft-stop", "restart", "soft-restart", "cluster-restart", "set-size",
          "env-get", "env-set", "env-unset", "npmls", "remove", "create"}) {
      all.push_back({{"ctl", verb}, 2, "missing argument: slc ctl " + std::string(verb)});
    }
    all.push_back({{"ctl", "set-size", "my-app"}, 2, "missing argument"});
    all.push_back({{"ctl", "env-set", "my-app"}, 2, "missing argument"});
    all.push_back({{"ctl", "stop", "my-app", "now"}, 2, "too many arguments, 'now' has no place"});
    all.push_back({{"ctl", "ls", "my-app"}, 2, "too many arguments"});
    all.push_back({{"ctl", "shutdown", "now"}, 2, "too many arguments"});
    all.push_back({{"start", ".", "x"}, 2, "what is for the app itself comes after '--'"});
    Try(world, all);
  }

  TEST_CASE("sizes: 0 to 1024 or cpu") {
    World world;
    StartMyApp(world);
    std::vector<Bad> all;
    for (const char* size :
         {"-1", "1025", "100000", "99999999999999999999", "x", "1.5", "", "+1", "0x2"}) {
      all.push_back({{"ctl", "set-size", "my-app", size}, 2, "from 0 to 1024"});
      all.push_back({{"start", SourcePath("tests/apps/plain/server.js"), "--size", size},
                     2,
                     "from 0 to 1024"});
      all.push_back({{"ctl", "create", "new", "--size", size}, 2, "from 0 to 1024"});
    }
    Try(world, all);
  }

  TEST_CASE("names") {
    World world;
    StartMyApp(world);
    std::vector<Bad> all;
    const std::string app = SourcePath("tests/apps/plain/server.js");
    for (const std::string& name :
         {std::string("123"), std::string(".hidden"), std::string("../etc"), std::string("a/b"),
          std::string("a b"), std::string("\xc3\xa4"), std::string(65, 'a'), std::string(),
          std::string("a\x1b[31m")}) {
      all.push_back({{"ctl", "create", name}, 2, "is no name for a service"});
      all.push_back({{"start", app, "--name", name}, 2, "is no name for a service"});
    }
    all.push_back({{"ctl", "create", "--", "-x"}, 2, "is no name for a service"});
    all.push_back({{"ctl", "create", "my-app"}, 1, "there is a service 'my-app' already"});
    Try(world, all);
  }

  TEST_CASE("what a terminal would obey is not repeated to it") {
    World world;
    StartMyApp(world);
    for (const Words& words : {Words{"ctl", "stop", "\x1b]0;x\a"},
                               {"ctl", "\x1b[2J"},
                               {"\x1b[2J"},
                               {"start", "/\x1b[2J"},
                               {"ctl", "env-set", "my-app", "\x1b[2J"}}) {
      const Ran ran = world.Slc(words);
      CHECK(ran.code != 0);
      CHECK_FALSE(Contains(ran.err, "\x1b"));
      CHECK(Contains(ran.err, "\\x1b"));
    }
  }

  TEST_CASE("variables") {
    World world;
    StartMyApp(world);
    const std::string app = SourcePath("tests/apps/plain/server.js");
    Try(world, {{{"ctl", "env-set", "my-app", "=x"}, 2, "NAME=VALUE"},
                {{"ctl", "env-set", "my-app", "A"}, 2, "NAME=VALUE"},
                {{"ctl", "env-set", "my-app", "GOOD=1", "BAD"}, 2, "'BAD'"},
                {{"ctl", "env-unset", "my-app", "A=b"}, 2, "holds '='"},
                {{"ctl", "env-unset", "my-app", ""}, 2, ""},
                {{"start", app, "--env", "=x"}, 2, "NAME=VALUE"},
                {{"start", app, "--env", "A"}, 2, "NAME=VALUE"}});
  }

  TEST_CASE("variables whose names hold '=' or NUL do not come in by the socket either") {
    World world;
    StartMyApp(world);
    const Picture before = Take(world);
    for (const std::string& name : {std::string("A=B"), std::string("A\0B", 3), std::string()}) {
      SetEnvironment body;
      body.service = "my-app";
      body.set = {{name, "x"}};
      auto answer = Send(world, body);
      REQUIRE(answer);
      REQUIRE(*answer);
      const auto* reply = std::get_if<Reply>(&(*answer)->body);
      REQUIRE(reply != nullptr);
      CHECK(reply->error.has_value());
      CHECK(Take(world) == before);
    }
    SetEnvironment body;
    body.service = "my-app";
    body.set = {{"A", std::string("x\0y", 3)}};
    auto answer = Send(world, body);
    REQUIRE(answer);
    REQUIRE(*answer);
    CHECK(std::get<Reply>((*answer)->body).error.has_value());
    CHECK(Take(world) == before);
  }

  TEST_CASE("a size beyond the limit does not come in by the socket either") {
    World world;
    StartMyApp(world);
    const Picture before = Take(world);
    for (const std::uint32_t size : {1025U, 100000U, 0xfffffffeU}) {
      auto answer = Send(world, SetSize{"my-app", size});
      REQUIRE(answer);
      REQUIRE(*answer);
      CHECK(std::get<Reply>((*answer)->body).error.has_value());
      auto created = Send(world, CreateService{"new", size});
      REQUIRE(created);
      REQUIRE(*created);
      CHECK(std::get<Reply>((*created)->body).error.has_value());
      CHECK(Take(world) == before);
    }
  }

  TEST_CASE("ports") {
    World world;
    StartMyApp(world);
    const std::string app = SourcePath("tests/apps/plain/server.js");
    std::vector<Bad> all;
    for (const char* port : {"70000", "65536", "0", "-1", "x", "", "80.5"}) {
      all.push_back({{"start", app, "--port", port}, 2, "from 1 to 65535"});
    }
    all.push_back({{"ctl", "env-set", "my-app", "PORT=70000"}, 1, "PORT must be a number"});
    all.push_back({{"ctl", "env-set", "my-app", "PORT=http"}, 1, "PORT must be a number"});
    Try(world, all);
    for (const char* port : {"PORT=70000", "PORT=http"}) {
      const Picture before = Take(world);
      const Ran ran = world.Slc({"start", app, "--name", "new", "--env", port});
      CHECK(ran.code == 1);
      CHECK(Contains(ran.err, "PORT must be a number"));
      CHECK(Take(world) == before);
    }
  }

  TEST_CASE("the other options of start") {
    World world;
    StartMyApp(world);
    const std::string app = SourcePath("tests/apps/plain/server.js");
    const auto with = [&](const Words& options) {
      Words words{"start", app, "--name", "new"};
      words.insert(words.end(), options.begin(), options.end());
      return words;
    };
    Try(world, {{with({"--ready", "soon"}), 2, "listening, message, alive"},
                {with({"--restart", "sometimes"}), 2, "always, on-failure, never"},
                {with({"--log-format", "xml"}), 2, "text, json, raw"},
                {with({"--stop-signal", "SIGFOO"}), 2, "there is no signal 'SIGFOO'"},
                {with({"--stop-timeout", "5x"}), 2, "is no duration"},
                {with({"--ready-timeout", "-1s"}), 2, "is no duration"},
                {with({"--ready-timeout", "10ms"}), 2, "100ms at least"},
                {with({"--drain-timeout", "25h"}), 2, "24h at most"},
                {with({"--min-uptime", ""}), 2, "is no duration"},
                {with({"--log-size", "1"}), 2, "64k at least"},
                {with({"--log-files", "0"}), 2, "from 1 to 1000"},
                {with({"--node-args", "'open"}), 2, "cannot be cut into words"},
                {with({"--cwd", "/nowhere"}), 1, "--cwd /nowhere: No such file or directory"},
                {with({"--cwd", app}), 1, "is not a folder"},
                {with({"--node", "/nowhere/node"}), 1, "/nowhere/node"},
                {with({"--interpreter", "no-such-program"}), 1, "no-such-program"},
                {{"ctl", "soft-restart", "my-app", "--parallel", "0"}, 2, "from 1 to 1024"},
                {{"ctl", "npmls", "my-app", "-1"}, 2, "DEPTH"}});
  }

  TEST_CASE("--run-as of somebody unknown, and for anybody but root") {
    World world;
    StartMyApp(world);
    const std::string app = SourcePath("tests/apps/plain/server.js");
    if (::geteuid() == 0) {
      Try(world,
          {{{"start", app, "--name", "new", "--run-as", "no-such-user"}, 1, "no-such-user"}});
    } else {
      Try(world, {{{"start", app, "--name", "new", "--run-as", "root"}, 1, "needs root"}});
    }
  }

  TEST_CASE("folders and files that cannot be an app") {
    World world;
    StartMyApp(world);
    const std::string empty = world.MakeFolder("empty", {});
    const std::string broken =
        world.MakeFolder("broken", {{"package.json", "{\n\"name\": 1,\n,}"}});
    const std::string folder_script = world.MakeFolder(
        "folder-script",
        {{"package.json", R"({"scripts": {"start": "node lib"}})"}, {"lib/x", ""}});
    const std::string text = world.MakeFolder("text", {{"notes.txt", "no script"}});
    Try(world, {{{"start", "/nowhere"}, 1, "/nowhere: No such file or directory"},
                {{"start", "/dev/null"}, 1, "neither a folder nor a file"},
                {{"start", empty}, 1, "no script found in " + empty},
                {{"start", broken}, 1, broken + "/package.json: broken at line 3"},
                {{"start", folder_script}, 1, "is a folder without a main script"},
                {{"start", text + "/notes.txt"}, 1, "neither a script for Node"},
                {{"start", ""}, 2, "must not be empty"}});
  }

  TEST_CASE("a .env that is none: the file and the line, and nothing is started") {
    World world;
    const std::string folder =
        world.MakeFolder("dotenv", {{"app.js", kMirror}, {".env", "A=1\nB=\"open\n"}});
    const Ran ran = world.Slc({"start", folder, "--port", std::to_string(FreePort())});
    INFO(ran.err);
    CHECK(ran.code == 1);
    CHECK(Contains(ran.err, folder + "/.env"));
    CHECK(Contains(ran.err, "line 2"));
    CHECK(world.Views().empty());
  }

  TEST_CASE("an unreadable folder is named with the reason") {
    World world;
    const std::string folder = world.MakeFolder("secret", {{"app.js", kMirror}});
    REQUIRE(::chmod(folder.c_str(), 0) == 0);
    // A home of nobody's own.
    const std::string home = world.folder() + "/nobody";
    REQUIRE(::mkdir(home.c_str(), 0700) == 0);
    REQUIRE(::chmod(world.folder().c_str(), 0711) == 0);
    if (::geteuid() == 0) REQUIRE(::chown(home.c_str(), 65534, 65534) == 0);
    const Ran ran = world
                        .BeginProgram(AsNobody({BinaryPath("slc"), "start", folder}),
                                      {.cwd = "/", .env = {{"SLC_HOME", home + "/home"}}})
                        .Wait();
    INFO(ran.err);
    CHECK(ran.code == 1);
    CHECK(LinesOf(ran.err).size() == 1);
    CHECK(Contains(ran.err, folder));
    CHECK(Contains(ran.err, "Permission denied"));
    CHECK_FALSE(Exists(home + "/home"));
    REQUIRE(::chmod(folder.c_str(), 0700) == 0);
  }

  TEST_CASE("somebody else's home is refused, with the sudo command that would do") {
    if (!Possible(::geteuid() == 0, "only root can be somebody else")) return;
    World world;
    world.Must({"ctl", "create", "x"});
    REQUIRE(::chmod(world.folder().c_str(), 0711) == 0);
    for (const Words& words : {Words{"ctl", "ls"}, {"ctl", "create", "y"}}) {
      Words command{BinaryPath("slc")};
      command.insert(command.end(), words.begin(), words.end());
      const Ran ran = world.BeginProgram(AsNobody(command), {.cwd = "/"}).Wait();
      INFO(ran.err);
      CHECK(ran.code == 3);
      CHECK(ran.out == "");
      CHECK(Contains(ran.err, "belongs to root, not to you"));
      CHECK(Contains(ran.err, "sudo -u root"));
    }
    CHECK(world.Views().size() == 1);
  }

  TEST_CASE("a home that is a file, and one that is not there, are named") {
    World world;
    const std::string file = world.folder() + "/afile";
    WriteText(file, "");
    for (const Words& words : {Words{"ctl", "ls"}, {"ctl", "create", "x"}}) {
      const Ran ran = world.Slc(words, {.env = {{"SLC_HOME", file}}});
      CHECK(ran.code == 3);
      CHECK(ran.out == "");
      CHECK_MESSAGE(Contains(ran.err, "the home " + file + " is not a folder"), ran.err);
    }
    const std::string missing = world.folder() + "/typo";
    const Ran ran = world.Must({"ctl", "ls"}, {.env = {{"SLC_HOME", missing}}});
    CHECK(ran.out == "No services defined\n");
    CHECK_MESSAGE(Contains(ran.err, missing), ran.err);
  }

  TEST_CASE("-C to a socket that may not be used is 3, as one that is not there") {
    if (!Possible(::geteuid() == 0, "only root can be somebody else")) return;
    World world;
    world.Must({"ctl", "create", "x"});
    const Ran ran =
        world
            .BeginProgram(AsNobody({BinaryPath("slc"), "ctl", "-C", world.socket(), "ls"}),
                          {.cwd = "/"})
            .Wait();
    CHECK(ran.code == 3);
    CHECK_MESSAGE(Contains(ran.err, "ermission denied"), ran.err);
    CHECK(world.Slc({"ctl", "-C", world.folder() + "/none", "ls"}).code == 3);
  }

  TEST_CASE("usage errors in JSON, too") {
    World world;
    for (const Words& words : {Words{"ctl", "stopp"},
                               {"ctl", "set-size", "x", "-1"},
                               {"start", "--prot"},
                               {"ctl", "stop"}}) {
      const json value = world.Json(words);
      CHECK(value["ok"] == false);
      CHECK(value["error"]["code"] == "usage");
    }
  }

  TEST_CASE("garbage on the control socket harms nobody") {
    World world;
    StartMyApp(world);
    world.ExpectInLog("dropped a client");
    const Picture before = Take(world);
    for (const std::string& bytes :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\xff\xff\xff\xff garbage"),
          std::string("\0\0\0\2{}", 6), std::string("\0\0\0\5[[[[[", 9),
          std::string("\0\0\0\0", 4)}) {
      auto client = ControlClient::Connect(world.socket());
      REQUIRE(client);
      REQUIRE(::write(client->fd(), bytes.data(), bytes.size()) ==
              static_cast<ssize_t>(bytes.size()));
      // It answers with an error, or hangs up, or waits for the rest.
      static_cast<void>(client->Receive(100));
    }
    CHECK(Take(world) == before);
    CHECK(world.Slc({"ctl", "ls"}).code == 0);
  }
}
