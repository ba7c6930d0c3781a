#include "daemon/core/fallback.h"

#include <doctest/doctest.h>

#include "daemon/core/registry.h"

namespace slc {
namespace {

Wish Before() {
  Wish wish;
  wish.id = 1;
  wish.spec.name = "web";
  wish.spec.directory = "/srv/web";
  wish.spec.script = "server.js";
  wish.size = 2;
  wish.run = true;
  wish.generation = 1;
  wish.order = 1;
  return wish;
}

Registry FallenBack(const Wish& wish) {
  Registry registry(false);
  Wish fallen = wish;
  fallen.damage = RecordDamage{"this is not JSON", 0};
  registry.Commit(fallen);
  return registry;
}

}  // namespace

TEST_CASE("The wish of before is caught up with what its master obeys") {
  const FleetWish obeyed{true, false, 5, 4, RollMode::kRolling, 2, 7};
  const Wish wish = CatchUp(Before(), obeyed, 8);
  CHECK(wish.order == 7);
  CHECK(wish.generation == 4);
  CHECK(wish.size == 5);
  CHECK(wish.mode == RollMode::kRolling);
  CHECK(wish.parallel == 2);
  // The next change is above both.
  const auto next = FallenBack(wish).ProposeRestart(1, RollMode::kRolling, 1);
  REQUIRE(next);
  CHECK(next->wish.order > obeyed.order);
  CHECK(next->wish.generation > obeyed.generation);
}

TEST_CASE("What runs runs on, though the version before was stopped") {
  Wish before = Before();
  before.run = false;
  CHECK(CatchUp(before, {true, false, 2, 2, RollMode::kRestart, 1, 3}, 8).run);
}

TEST_CASE("A master that ends, though it is to run, gets an order of its own") {
  const Wish wish = CatchUp(Before(), {false, true, 2, 2, RollMode::kRestart, 1, 3}, 8);
  CHECK(wish.run);
  CHECK(wish.order == 4);
  CHECK(wish.size == 2);
}

TEST_CASE("An order that has not reached the master stays, and as many as there are CPUs too") {
  const Wish same = CatchUp(Before(), {true, false, 9, 1, RollMode::kRestart, 1, 1}, 8);
  CHECK(same.size == 2);
  CHECK(same.order == 1);
  Wish all = Before();
  all.size = kSizeCpu;
  CHECK(CatchUp(all, {true, false, 8, 2, RollMode::kRestart, 1, 2}, 8).size == kSizeCpu);
  CHECK(CatchUp(all, {true, false, 3, 2, RollMode::kRestart, 1, 2}, 8).size == 3);
}

TEST_CASE("After a fallback the same start rolls, and a stop of what is stopped confirms it") {
  const Wish before = Before();
  StartWish start;
  start.spec = before.spec;
  const auto started = FallenBack(before).ProposeStart(start);
  REQUIRE(started);
  CHECK(started->new_generation);
  CHECK(started->wish.mode == RollMode::kRolling);
  Proposal ended = *started;
  REQUIRE(ended.wish.damage);
  Registry::EndFallback(ended);
  CHECK_FALSE(ended.wish.damage);
  Wish stopped = before;
  stopped.run = false;
  Registry registry = FallenBack(stopped);
  CHECK(registry.ProposeStop(1, true)->changed);
  // A size says nothing of what is lost.
  Proposal sized = *FallenBack(before).ProposeSize(1, 3);
  Registry::EndFallback(sized);
  CHECK(sized.wish.damage);
  Proposal confirmed = *registry.ProposeStop(1, true);
  Registry::EndFallback(confirmed);
  registry.Commit(confirmed.wish);
  CHECK(registry.GetFallback(1) == nullptr);
  CHECK_FALSE(registry.ProposeStop(1, true)->changed);
}

TEST_CASE("What is known of a fallback stays as long as its wish says that there is one") {
  Registry registry = FallenBack(Before());
  REQUIRE(registry.GetFallback(1) != nullptr);
  Fallback settled = *registry.GetFallback(1);
  settled.settled = true;
  registry.Know(settled);
  Wish wish = *registry.Get(1);
  wish.size = 3;
  registry.Commit(wish);
  REQUIRE(registry.GetFallback(1) != nullptr);
  CHECK(registry.GetFallback(1)->settled);
  wish.damage.reset();
  registry.Commit(wish);
  CHECK(registry.GetFallback(1) == nullptr);
}

TEST_CASE("What differs is told without the code and without values") {
  GenerationConfig runs;
  runs.environment = {"PORT=3101", "SECRET=hush"};
  GenerationConfig recorded;
  recorded.environment = {"PORT=3001"};
  recorded.code.commit = "abc";
  CHECK(DescribeDifference(runs, recorded) == "env PORT changed, env SECRET removed");
  CHECK(DescribeDifference(runs, runs).empty());
  Fallback fallback;
  fallback.id = 2;
  fallback.damage.reason = "this is not JSON";
  CHECK(DescribeFallback(fallback) ==
        "services/2.json was found damaged at 1970-01-01T00:00:00.000Z (this is not JSON); the "
        "version before is used, the last change may be lost");
  fallback.differs = "env A removed";
  CHECK(DescribeFallback(fallback).find("lost: the next restart would bring env A removed") !=
        std::string::npos);
}

}  // namespace slc
