#include <doctest/doctest.h>

#include "ctl/connect.h"
#include "ctl/start_request.h"
#include "tests/unit/ctl_scratch.h"

namespace slc::ctl {
namespace {

const Environment& Own() {
  static const Environment own{{"PATH", "/bin"},      {"HOME", "/home/bob"}, {"LANG", "C"},
                               {"LC_TIME", "C"},      {"NODE_ENV", "test"},  {"SECRET", "x"},
                               {"SLC_HOME", "/h"},    {"SLC_COOKIE", "9.1"}, {"SLC_SLOT", "1"},
                               {"ASAN_OPTIONS", "a"}, {"PORT", "8080"},      {"SHLVL", "2"}};
  return own;
}

}  // namespace

TEST_CASE("slcd is started with its home, and never with our cookie") {
  const Environment environment = DaemonEnvironment(Own());
  CHECK(environment.at("SLC_HOME") == "/h");
  CHECK(environment.at("PATH") == "/bin");
  CHECK(environment.count("ASAN_OPTIONS") == 1);
  for (const char* name : {"SLC_COOKIE", "SLC_SLOT", "SECRET", "NODE_ENV", "PORT"}) {
    CAPTURE(std::string(name));
    CHECK(environment.count(name) == 0);
  }
}

TEST_CASE("An app is told of its caller's environment what it needs, in the foreground all of it") {
  CHECK(CallerEnvironment(Own()) == Environment{{"PATH", "/bin"},
                                                {"HOME", "/home/bob"},
                                                {"LANG", "C"},
                                                {"LC_TIME", "C"},
                                                {"NODE_ENV", "test"}});
  const Environment foreground = ForegroundEnvironment(Own());
  CHECK(foreground.at("SECRET") == "x");
  for (const char* name : {"SLC_COOKIE", "SLC_HOME", "SHLVL"}) CHECK(foreground.count(name) == 0);
}

TEST_CASE("The sudo command is one to copy and paste") {
  CHECK(SudoCommand("bob", "", {"ctl", "ls"}) == "sudo -u bob -H slc ctl ls");
  CHECK(SudoCommand("bob", "/my home", {"ctl", "env-set", "a", "B=it's"}) ==
        "sudo -u bob env SLC_HOME='/my home' slc ctl env-set a 'B=it'\\''s'");
}

TEST_CASE("A start request is made of the options and the folder") {
  const Scratch scratch;
  scratch.Write("package.json", R"({"name":"web","scripts":{"start":"node --inspect=0 a.js x"}})");
  scratch.Write("a.js", "");
  StartOptions options;
  options.spec.node_arguments = {"--max-old-space-size=300"};
  options.given = {"node-args"};
  auto request = MakeStartRequest(options, scratch.path(), Own(), false);
  REQUIRE(request);
  CHECK(request->spec.name == "web");
  CHECK(request->spec.directory == scratch.path());
  CHECK(NodeArguments(request->spec) ==
        std::vector<std::string>{"--inspect=0", "--max-old-space-size=300"});
  CHECK(request->spec.arguments == std::vector<std::string>{"x"});
  CHECK_FALSE(request->spec.port);
  CHECK(request->given == options.given);

  // What stands behind -- replaces the arguments of scripts.start.
  options.spec.arguments = {"y"};
  options.given = {"arguments"};
  options.spec.name = "other";
  request = MakeStartRequest(options, scratch.path(), Own(), true);
  REQUIRE(request);
  CHECK(request->spec.name == "other");
  CHECK(request->spec.arguments == std::vector<std::string>{"y"});
  CHECK(request->spec.port == 8080);
}

TEST_CASE("Options that name places are checked before anything is changed") {
  const Scratch scratch;
  scratch.Write("server.js", "");
  StartOptions options;
  options.spec.cwd = "gone";
  options.given = {"cwd"};
  auto request = MakeStartRequest(options, scratch.path(), Own(), false);
  REQUIRE_FALSE(request);
  CHECK(request.error().message.find("--cwd " + (scratch / "gone")) != std::string::npos);
  options.spec.cwd = "server.js";
  request = MakeStartRequest(options, scratch.path(), Own(), false);
  REQUIRE_FALSE(request);
  CHECK(request.error().message.find("is not a folder") != std::string::npos);
  options.spec.cwd.clear();
  options.spec.node = "./node";
  options.given = {"node"};
  request = MakeStartRequest(options, scratch.path(), Own(), false);
  REQUIRE_FALSE(request);
  CHECK(request.error().message.find("--node: ") == 0);
}

}  // namespace slc::ctl
