// When slcd may say that a master goes on as another version.
#include "daemon/core/master_upgrade.h"

#include <doctest/doctest.h>

using namespace slc;

TEST_CASE("a master is replaced when it has said hello unasked and stored everything") {
  MasterUpgrade upgrade(7);
  upgrade.Linked(0);
  upgrade.SentHello();
  upgrade.SaidHello("1");
  CHECK(!upgrade.StoredAll());
  upgrade.Begin();
  upgrade.SaidHello("2");
  const auto outcome = upgrade.StoredAll();
  REQUIRE(outcome);
  const auto* replaced = std::get_if<MasterReplaced>(&*outcome);
  REQUIRE(replaced != nullptr);
  CHECK(replaced->id == 7);
  CHECK(replaced->version == "2");
  CHECK(!upgrade.StoredAll());
  CHECK(!upgrade.Fell());
}

TEST_CASE("an answer that was on its way when a master was told does not count") {
  MasterUpgrade upgrade(7);
  // One to the last image of slcd, and one to us.
  upgrade.Linked(1);
  upgrade.SentHello();
  upgrade.Begin();
  for (int answers = 0; answers < 2; ++answers) {
    upgrade.SaidHello("1");
    CHECK(!upgrade.StoredAll());
  }
  SUBCASE("it goes on as another version") {
    upgrade.SaidHello("2");
    CHECK(upgrade.StoredAll());
  }
  SUBCASE("it stays") { CHECK(upgrade.Stayed("no", false)); }
  SUBCASE("it ends") { CHECK(upgrade.Fell()); }
}

TEST_CASE("what is left to be stored of before does not count for a master that has ended") {
  MasterUpgrade upgrade(7);
  upgrade.Begin();
  upgrade.SaidHello("2");
  CHECK(upgrade.Fell());
  upgrade.Linked(0);
  upgrade.SentHello();
  upgrade.Begin();
  CHECK(!upgrade.StoredAll());
}
