// Of an upgrade, the part until slcd is executed.
#include "daemon/core/upgrade_start.h"

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

using namespace slc;

namespace {

const Error kBroken{ErrorCode::kInvalid, "broken"};

template <typename Deed>
bool Only(const std::vector<StartAction>& actions) {
  return actions.size() == 1 && std::holds_alternative<Deed>(actions[0]);
}

std::string RefusalIn(const std::vector<StartAction>& actions) {
  return Only<RefuseUpgrade>(actions) ? std::get<RefuseUpgrade>(actions[0]).error.message : "";
}

// Until what runs is kept.
std::vector<StartAction> Prepare(UpgradeStart& start, const UpgradeScene& scene, bool is_new) {
  CHECK(Only<CheckDaemon>(start.On(UpgradeAsked{}, scene, 0)));
  CHECK(Only<CheckMaster>(start.On(DaemonChecked{}, scene, 10)));
  CHECK(Only<KeepVersion>(start.On(MasterChecked{}, scene, 20)));
  return start.On(VersionKept{Ok(), is_new}, scene, 30);
}

}  // namespace

TEST_CASE("slcd is executed when nothing is half done and everything is written") {
  UpgradeStart start;
  UpgradeScene scene;
  scene.settled = false;
  CHECK(Prepare(start, scene, true).empty());
  CHECK(start.deadline() == 35);
  CHECK(start.On(SceneSeen{}, scene, 35).empty());
  scene.settled = true;
  scene.unwritten = "its journal";
  CHECK(Only<WriteOut>(start.On(SceneSeen{}, scene, 40)));
  CHECK(start.deadline() == 40);
  CHECK(Only<WriteOut>(start.On(SceneSeen{}, scene, 41)));
  scene.unwritten.clear();
  CHECK(Only<ExecuteDaemon>(start.On(SceneSeen{}, scene, 46)));
  const auto last = start.On(ExecutionFailed{kBroken}, scene, 47);
  CHECK(RefusalIn(last) == "broken");
  CHECK(std::get<RefuseUpgrade>(last[0]).withdraw);
  CHECK(start.over());
  CHECK(!start.deadline());
}

TEST_CASE("a master that never gets into charge does not keep an upgrade away") {
  UpgradeStart start;
  UpgradeScene scene;
  scene.settled = false;
  CHECK(Prepare(start, scene, true).empty());
  CHECK(start.On(SceneSeen{}, scene, 5029).empty());
  CHECK(Only<WriteOut>(start.On(SceneSeen{}, scene, 5030)));
  CHECK(Only<ExecuteDaemon>(start.On(SceneSeen{}, scene, 5031)));
}

TEST_CASE("a disk that hangs has the upgrade refused, not slcd stand still in its exec") {
  UpgradeStart start;
  UpgradeScene scene;
  scene.unwritten = "its log";
  CHECK(Only<WriteOut>(Prepare(start, scene, true)));
  CHECK(Only<WriteOut>(start.On(SceneSeen{}, scene, 3029)));
  const auto last = start.On(SceneSeen{}, scene, 3030);
  CHECK(RefusalIn(last).find("the disk does not take its log") == 0);
  CHECK(std::get<RefuseUpgrade>(last[0]).withdraw);
}

TEST_CASE("a disk that hangs while a copy is kept has the upgrade refused") {
  UpgradeStart start;
  const UpgradeScene scene;
  start.On(UpgradeAsked{}, scene, 0);
  start.On(DaemonChecked{}, scene, 10);
  CHECK(Only<KeepVersion>(start.On(MasterChecked{}, scene, 20)));
  CHECK(start.deadline() == 10'020);
  CHECK(start.On(SceneSeen{}, scene, 10'019).empty());
  const auto last = start.On(SceneSeen{}, scene, 10'020);
  CHECK(RefusalIn(last).find("the disk has not taken") == 0);
  CHECK(std::get<RefuseUpgrade>(last[0]).withdraw);
}

TEST_CASE("a slcd that is the installed one already has only the masters upgraded") {
  UpgradeStart start;
  UpgradeScene scene;
  scene.unwritten = "its log";
  CHECK(Only<UpgradeMasters>(Prepare(start, scene, false)));
  CHECK(start.over());
  CHECK(!start.deadline());
}

TEST_CASE("what cannot run is refused, and nothing was begun") {
  UpgradeStart start;
  const UpgradeScene scene;
  start.On(UpgradeAsked{}, scene, 0);
  std::vector<StartAction> last;
  SUBCASE("slcd") { last = start.On(DaemonChecked{kBroken}, scene, 1); }
  SUBCASE("slc-master") {
    start.On(DaemonChecked{}, scene, 1);
    last = start.On(MasterChecked{kBroken}, scene, 2);
  }
  SUBCASE("what runs now cannot be kept") {
    start.On(DaemonChecked{}, scene, 1);
    start.On(MasterChecked{}, scene, 2);
    last = start.On(VersionKept{kBroken, true}, scene, 3);
  }
  CHECK(RefusalIn(last) == "broken");
  CHECK(!std::get<RefuseUpgrade>(last[0]).withdraw);
}

TEST_CASE("a hindrance refuses an upgrade whenever it comes, and nothing is executed then") {
  RunHistories(2000, [](Random& random) -> std::string {
    UpgradeStart start;
    UpgradeScene scene;
    const std::vector<StartEvent> facts{UpgradeAsked{}, DaemonChecked{}, MasterChecked{},
                                        VersionKept{Ok(), random.Chance(80)}};
    bool hindered = false;
    Millis now = 0;
    for (std::size_t i = 0; i < 40 && !start.over(); ++i) {
      if (random.Chance(10)) {
        hindered = true;
        (random.Chance(50) ? scene.stopping : scene.foreground) = true;
        if (random.Chance(30)) scene.storage_trouble = "full";
      }
      scene.settled = random.Chance(50);
      scene.unwritten = random.Chance(50) ? "its log" : "";
      now = std::max(now + random.Between(0, 500), start.deadline().value_or(0));
      for (const auto& action : start.On(i < facts.size() ? facts[i] : SceneSeen{}, scene, now)) {
        if (std::holds_alternative<ExecuteDaemon>(action)) {
          if (hindered) return "executed though hindered";
          return scene.unwritten.empty() ? "" : "executed with something on its way to the disk";
        }
        if (hindered && !std::holds_alternative<RefuseUpgrade>(action)) return "goes on hindered";
      }
      if (hindered && !start.over()) return "is not refused";
    }
    return "";
  });
}
