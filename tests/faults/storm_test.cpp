// Everything at once (storm.h). What may fail is known beforehand (windows.h), what must hold is
// looked at all the time (watcher.h), and what was acknowledged is there at the end (changing.h).
#include "tests/faults/storm.h"

#include <optional>

#include <doctest/doctest.h>

#include "tests/faults/watcher.h"

using namespace slc;
using namespace slc::test;

namespace {

constexpr Millis kShort = 60'000;
constexpr Millis kLong = 600'000;
// A stopped master is seen within 12 s; slcd may be held up meanwhile.
constexpr Millis kSlowest = 16'000;

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE("a storm of blows breaks no promise") {
    Dice dice;
    World world;
    world.OwnPrograms();
    WallClock clock(world);
    FaultRules faults(world);
    std::optional<TinyDisk> disk;
    // Rotated logs of ten minutes have room in it. Without it all but a full disk happens.
    // An upgrade has the version before and that one's copy there for a moment, of programs that
    // were not stripped: some 25 MB each.
    if (CanMount()) disk.emplace(world, world.home(), "size=160m");
    // Every blow is logged; what counts is judged below.
    for (const char* part : {" warning ", " error ", "has taken over"}) world.ExpectInLog(part);
    FourServices services(world);
    Storm storm(world, dice, services, disk ? &*disk : nullptr, clock, faults);
    const Millis span = Long() ? kLong : kShort;
    const std::vector<Blow> plan = Storm::Plan(dice, span);
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    // Nobody rolls it: its queue would go with each worker.
    Watcher watcher(world, {"snake"});
    const Millis begin = BootNow();
    for (std::size_t blow = 0; BootNow() < begin + span && blow < plan.size(); ++blow) {
      LetPass(plan[blow].pause);
      storm.Settle();
      storm.Strike(plan[blow]);
    }
    storm.Calm();
    const LoadReport report = load.Stop();
    const std::string broken = watcher.Stop();
    const Millis took = BootNow() - begin;
    Millis open = 0;
    for (const App& app : services.apps()) {
      open += storm.windows().OpenFor(app.name, begin, begin + took);
    }
    MESSAGE("any number of a service's requests may fail for ",
            open * 100 / (took * static_cast<Millis>(services.apps().size())),
            " % of the time; longest: ", storm.windows().Longest());
    MESSAGE(storm.struck(), " blows: ", storm.Counts(), "; looked at ", watcher.looks(), " times, ",
            watcher.answers(), " of them with slcd's answer", Figures(report));
    MESSAGE(storm.failed(), " commands were refused or cut off; ", storm.changed(), " of ",
            storm.changes(), " changes were done");
    INFO(storm.history());
    INFO(report.text);
    const std::string unexplained = storm.Unexplained();
    CHECK_MESSAGE(unexplained.empty(), unexplained);
    // Else the model at the end allows nearly everything. Three in four were done at least; into
    // one minute chance may pack more of those blows beside which a change is refused.
    const std::size_t percent_done = storm.changed() * 100 / storm.changes();
    CHECK(percent_done >= (Long() ? 66 : 50));
    if (Long()) CHECK_MESSAGE(storm.NeverStruck().empty(), storm.NeverStruck());
    CHECK_MESSAGE(broken.empty(), broken);
    const std::string failed = storm.windows().Judge(report);
    CHECK_MESSAGE(failed.empty(), failed);
    // Else what only slcd knows was hardly looked at.
    constexpr Millis kLookEvery = 100;
    CHECK(watcher.answers() > (took - storm.silent()) / kLookEvery / 2);
    // Else the storm proves little. 10 and 13 % were seen in ten minutes. In one minute mostly 3 to
    // 12 %, but once 29: chance may pack more of the blows that kill slcd and a master at once into
    // it, and one master that is stopped for 8 s while it mends such a blow holds a window of its
    // service open for as long. Half of the minute is to be judged all the same.
    const Millis of_time = Long() ? 5 : 2;
    CHECK(open * of_time <= took * static_cast<Millis>(services.apps().size()));
    for (const LaneReport& lane : report.lanes) {
      INFO(lane.name, ", slowest answer at ", lane.slowest_at);
      CHECK(lane.ok > 0);
      CHECK(lane.slowest <= kSlowest);
      CHECK(lane.slowest_connect <= kSlowest);
    }
    // While its home is there.
    world.End();
  }
}
