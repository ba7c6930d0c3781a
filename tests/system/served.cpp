#include "tests/system/served.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/system/load_checks.h"

namespace slc::test {
namespace {

Ran Start(World& world, const std::string& name, const Words& words, const Words& options,
          const Words& behind) {
  Words all{"start"};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.end(), {"--name", name});
  all.insert(all.end(), options.begin(), options.end());
  if (!behind.empty()) all.emplace_back("--");
  all.insert(all.end(), behind.begin(), behind.end());
  return world.Must(all);
}

}  // namespace

Served Serve(World& world, const std::string& name, const Words& words, const Words& behind) {
  Served served{name, FreePort()};
  const Ran ran = Start(world, name, words, {"--listen", served.address()}, behind);
  CHECK_MESSAGE(Contains(ran.out, served.address()), ran.out);
  return served;
}

Served ServeByItself(World& world, const std::string& name, const Words& words,
                     const Words& behind) {
  Served served{name, FreePort()};
  Start(world, name, words, {"--port", std::to_string(served.port)}, behind);
  return served;
}

int Rolls() { return Long() ? 20 : 3; }

LoadReport Roll(World& world, const Served& served) {
  LoadClient load(world, {"name=close,mode=close,connections=4,rate=100,url=" + served.url()});
  for (int i = 0; i < Rolls(); ++i) {
    const auto before = world.ReadyPids(served.name);
    world.Must({"ctl", "soft-restart", served.name});
    const auto after = world.ReadyPids(served.name);
    CHECK(after.size() == before.size());
    for (const int pid : after) CHECK(std::count(before.begin(), before.end(), pid) == 0);
    // Some are gone within a few milliseconds: all are to have served.
    load.AwaitAnswers(20);
  }
  LoadReport report = load.Stop();
  MESSAGE(served.name, ": ", Rolls(), " rolls, ", report.ok(), " requests, ", report.failed(),
          " failed", Figures(report));
  return report;
}

void RollUnderLoad(World& world, const Served& served) { CheckNoneFailed(Roll(world, served)); }

}  // namespace slc::test
