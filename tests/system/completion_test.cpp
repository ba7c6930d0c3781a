// What bash completes after "slc".
#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;

namespace {

// The choices for the last of `words`, which follow "slc".
Words Choices(World& world, const Words& words) {
  Words command{"bash", "-c",
                ". \"$0\" && COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) && _slc && "
                "printf '%s\\n' \"${COMPREPLY[@]}\"",
                SourcePath("packaging/completions/slc.bash"), world.ProgramPath("slc")};
  command.insert(command.end(), words.begin(), words.end());
  const Ran ran = world.BeginProgram(command).Wait();
  CHECK_MESSAGE(ran.err == "", ran.err);
  return LinesOf(ran.out);
}

}  // namespace

TEST_SUITE("completion") {
  TEST_CASE("commands, verbs and options are those of slc's own help") {
    World world;
    CHECK(Choices(world, {"bu"}) == Words{"build"});
    CHECK(Choices(world, {"de"}) == Words{"deploy"});
    CHECK(Choices(world, {"ctl", "soft-r"}) == Words{"soft-restart"});
    CHECK(Choices(world, {"build", "--n"}) == Words{"--npm"});
    CHECK(Choices(world, {"deploy", "--s"}) == Words{"--service", "--size"});
    CHECK(Choices(world, {"ctl", "soft-restart", "--par"}) == Words{"--parallel"});
    CHECK(Choices(world, {"service", "u"}) == Words{"uninstall"});
  }

  TEST_CASE("services are those that are there, and none is started for it") {
    World world;
    Choices(world, {"ctl", "stop", ""});
    CHECK_FALSE(Exists(world.home()));
    world.Must({"ctl", "create", "shop"});
    CHECK(Choices(world, {"ctl", "stop", "s"}) == Words{"shop"});
    CHECK(Choices(world, {"deploy", "-s", ""}) == Words{"shop"});
  }

  TEST_CASE("services of a slcd elsewhere are asked for there, however bash cuts its URL") {
    World world;
    world.Must({"ctl", "create", "shop"});
    const std::string path = world.folder() + "/gateway.sock";
    world.Must({"gateway", "start", "--listen", "unix:" + path});
    world.env()["SLC_HOME"] = world.folder() + "/nowhere";
    CHECK(Choices(world, {"ctl", "stop", "s"}) == Words{""});
    for (const Words& url : {Words{"unix:" + path}, Words{"unix", ":", path}}) {
      Words words{"-C"};
      words.insert(words.end(), url.begin(), url.end());
      words.insert(words.end(), {"ctl", "stop", ""});
      CHECK(Choices(world, words) == Words{"shop"});
    }
    world.env()["SLC_HOME"] = world.home();
  }

  TEST_CASE("workers are those of the status, without the supervisors") {
    World world;
    world.StartApp("plain/server.js", {"--size", "2", "--name", "shop"});
    Words workers;
    for (const int pid : world.ReadyPids("shop")) workers.push_back("1.1." + std::to_string(pid));
    CHECK(Choices(world, {"ctl", "cpu-start", ""}) == workers);
    CHECK(Choices(world, {"ctl", "stop", ""}) == Words{"shop"});
  }
}
