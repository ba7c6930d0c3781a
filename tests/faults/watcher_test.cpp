// What watches over the storm sees what it is for, also while slcd answers nothing.
#include "tests/faults/watcher.h"

#include <csignal>

#include <doctest/doctest.h>

#include "common/base/text.h"

using namespace slc;
using namespace slc::test;

namespace {

// A master whose link nobody answers, beside the one that slcd knows.
const char* const kSecondMaster = R"(
import os, socket, sys
program, service, folder = sys.argv[1:]
ours, link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
os.set_inheritable(ours.fileno(), True)
directory = os.open(folder, os.O_RDONLY)
os.dup2(link.fileno(), 100)
os.dup2(directory, 101)
os.execv(program, ['slc-master', service, '--link', '100', '--directory', '101'])
)";

std::string CookieOf(int pid) {
  const std::string name = std::string(kCookieVariable) + "=";
  for (const std::string& each :
       Split(ReadText("/proc/" + std::to_string(pid) + "/environ"), '\0')) {
    if (StartsWith(each, name)) return each.substr(name.size());
  }
  return {};
}

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE(
      "its watcher sees a second worker in a slot, and a second master, of which slcd does not "
      "know") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    const std::string cookie = CookieOf(world.ReadyPids(app.name).at(0));
    REQUIRE_FALSE(cookie.empty());
    Watcher watcher(world, {app.name});
    WaitUntil([&] { return watcher.answers() > 0; }, 5'000, "a look with slcd's answer");
    const auto daemon = world.Daemon();
    REQUIRE(daemon);
    Kill(*daemon, SIGSTOP);
    Options options;
    options.env[kCookieVariable] = cookie.substr(0, cookie.find('.')) + ".999";
    options.env["SLC_SLOT"] = "0";
    Running twin = world.BeginProgram({"sleep", "60"}, options);
    Running master =
        world.BeginProgram({"python3", "-c", kSecondMaster, world.ProgramPath("slc-master"),
                            app.name, world.home() + "/run"});
    // Longer than the end of a worker may take.
    const int looks = watcher.looks();
    WaitUntil([&] { return watcher.looks() > looks + 15; }, 10'000, "15 looks");
    for (Running* each : {&twin, &master}) {
      each->Signal(SIGKILL);
      each->Wait();
    }
    Kill(*daemon, SIGCONT);
    const std::string broken = watcher.Stop();
    CHECK_MESSAGE(Contains(broken, "has 2 processes in slot 1"), broken);
    CHECK_MESSAGE(Contains(broken, "has more than one master"), broken);
  }
}
