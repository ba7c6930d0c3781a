#include "daemon/core/upgrade_plan.h"

#include <doctest/doctest.h>

using namespace slc;

namespace {

SightedMaster Master(ServiceId id, bool in_charge = true) {
  return SightedMaster{
      id, MasterInfo{"svc" + std::to_string(id), 100 + static_cast<int>(id), "1", 1}, in_charge};
}

ProcessUpgrade Slcd() {
  ProcessUpgrade slcd;
  slcd.program = "slcd";
  slcd.from = "1";
  slcd.to = "2";
  return slcd;
}

ServiceId Ordered(const std::vector<UpgradeAction>& actions) {
  if (actions.size() != 1) return 0;
  const auto* order = std::get_if<UpgradeMaster>(&actions[0]);
  return order != nullptr ? order->id : 0;
}

bool IsOver(const std::vector<UpgradeAction>& actions) {
  return actions.size() == 1 && std::holds_alternative<UpgradeOver>(actions[0]);
}

}  // namespace

TEST_CASE("masters are upgraded one after another") {
  UpgradePlan plan(Slcd(), 0);
  CHECK(Ordered(plan.On(MastersSighted{{Master(1), Master(2)}}, 10)) == 1);
  CHECK(plan.On(MastersSighted{{Master(1), Master(2)}}, 11).empty());
  // Of one that is not under way nothing is believed.
  CHECK(plan.On(MasterReplaced{2, "2"}, 12).empty());
  CHECK(Ordered(plan.On(MasterReplaced{1, "2"}, 25)) == 2);
  CHECK(IsOver(plan.On(MasterReplaced{2, "2"}, 40)));
  CHECK(!plan.failed());
  CHECK(!plan.deadline());
  REQUIRE(plan.report().size() == 3);
  CHECK(plan.report()[0].program == "slcd");
  CHECK(plan.report()[1].service == "svc1");
  CHECK(plan.report()[1].from == "1");
  CHECK(plan.report()[1].to == "2");
  CHECK(plan.report()[1].took == 15);
}

TEST_CASE("an upgrade waits until slcd is linked to all masters") {
  UpgradePlan plan(Slcd(), 0);
  CHECK(plan.On(MastersSighted{{Master(1), Master(2, false)}}, 10).empty());
  CHECK(plan.On(UpgradeTick{}, 9'999).empty());
  SUBCASE("that came") { CHECK(Ordered(plan.On(MastersSighted{{Master(1), Master(2)}}, 20)) == 1); }
  SUBCASE("one that does not answer stays as it is") {
    CHECK(Ordered(plan.On(UpgradeTick{}, 10'000)) == 1);
    CHECK(IsOver(plan.On(MasterReplaced{1, "2"}, 10'010)));
    CHECK(plan.failed());
    CHECK(plan.report()[2].to.empty());
    CHECK(plan.report()[2].reason == "it does not answer slcd");
  }
}

TEST_CASE("without masters an upgrade is over at once") {
  UpgradePlan plan(Slcd(), 0);
  CHECK(IsOver(plan.On(MastersSighted{}, 1)));
  CHECK(!plan.failed());
}

TEST_CASE("the first master that is not replaced ends the upgrade") {
  UpgradePlan plan(Slcd(), 0);
  plan.On(MastersSighted{{Master(1), Master(2), Master(3)}}, 0);
  plan.On(MasterReplaced{1, "2"}, 5);
  std::vector<UpgradeAction> last;
  SUBCASE("it refuses") { last = plan.On(MasterStayed{2, "no"}, 6); }
  SUBCASE("it ends") { last = plan.On(MasterFell{2}, 6); }
  SUBCASE("it does not answer") { last = plan.On(UpgradeTick{}, 10'005); }
  CHECK(IsOver(last));
  CHECK(plan.failed());
  REQUIRE(plan.report().size() == 4);
  CHECK(plan.report()[1].reason.empty());
  CHECK(plan.report()[2].to.empty());
  CHECK(!plan.report()[2].reason.empty());
  CHECK(plan.report()[3].reason == "not tried after the failure of svc2");
  CHECK(plan.On(MasterReplaced{2, "2"}, 10'010).empty());
}

TEST_CASE("a service that is stopped in the middle of an upgrade is no failure") {
  UpgradePlan plan(Slcd(), 0);
  plan.On(MastersSighted{{Master(1), Master(2), Master(3)}}, 0);
  std::vector<UpgradeAction> next;
  SUBCASE("its master has gone") {
    next = plan.On(MastersSighted{{Master(2), Master(3)}}, 1);
    CHECK(plan.On(MasterFell{1}, 1).empty());
  }
  SUBCASE("its master refuses") { next = plan.On(MasterStayed{1, "it is being stopped", true}, 1); }
  CHECK(Ordered(next) == 2);
  // One that waits for its turn.
  CHECK(plan.On(MastersSighted{{Master(2)}}, 2).empty());
  CHECK(IsOver(plan.On(MasterReplaced{2, "2"}, 3)));
  CHECK(!plan.failed());
  CHECK(plan.report()[1].reason == "its service has been stopped meanwhile");
  CHECK(plan.report()[2].to == "2");
  CHECK(plan.report()[3].reason == plan.report()[1].reason);
}

TEST_CASE("an upgrade is over when the last master there was has been stopped") {
  UpgradePlan plan(Slcd(), 0);
  plan.On(MastersSighted{{Master(1)}}, 0);
  CHECK(IsOver(plan.On(MastersSighted{}, 1)));
  CHECK(!plan.failed());
}

TEST_CASE("masters that are of the installed version already are left alone") {
  UpgradePlan plan(Slcd(), 0);
  SightedMaster installed = Master(1);
  installed.installed = true;
  CHECK(Ordered(plan.On(MastersSighted{{installed, Master(2)}}, 0)) == 2);
  CHECK(IsOver(plan.On(MasterReplaced{2, "2"}, 1)));
  CHECK(plan.report()[1].already);
  CHECK(plan.report()[1].to == "1");
  CHECK(!plan.report()[2].already);
}
