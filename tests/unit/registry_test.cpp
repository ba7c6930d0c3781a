#include "daemon/core/registry.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc {
namespace {

StartWish App(const std::string& name, const std::string& folder = "/srv/app") {
  StartWish start;
  start.spec.name = name;
  start.spec.directory = folder;
  start.spec.script = "server.js";
  return start;
}

const Wish& Commit(Registry& registry, const Result<Proposal>& proposal) {
  REQUIRE(proposal.ok());
  registry.Commit(proposal->wish);
  return *registry.Get(proposal->wish.id);
}

bool Says(const Result<Proposal>& proposal, const std::string& words) {
  return !proposal && proposal.error().message.find(words) != std::string::npos;
}

bool Notes(const Proposal& proposal, const std::string& words) {
  return std::any_of(proposal.notes.begin(), proposal.notes.end(), [&](const std::string& note) {
    return note.find(words) != std::string::npos;
  });
}

Registry With(const StartWish& start) {
  Registry registry(true);
  Commit(registry, registry.ProposeStart(start));
  return registry;
}

TEST_CASE("A start from a shell without NODE_ENV leaves the service its own") {
  StartWish start = App("api");
  start.spec.caller_environment = {{"PATH", "/bin"}, {"NODE_ENV", "production"}, {"LC_ALL", "C"}};
  Registry registry = With(start);
  start.spec.caller_environment = {{"PATH", "/usr/bin"}};
  auto proposal = registry.ProposeStart(start);
  REQUIRE(proposal.ok());
  CHECK(proposal->wish.spec.caller_environment ==
        Environment{{"NODE_ENV", "production"}, {"PATH", "/usr/bin"}});
  start.spec.caller_environment["NODE_ENV"] = "test";
  proposal = registry.ProposeStart(start);
  REQUIRE(proposal.ok());
  CHECK(proposal->wish.spec.caller_environment.at("NODE_ENV") == "test");
}

// Requests at random, and what must be true of the answers whatever they are.
class Clients {
 public:
  explicit Clients(Random& random) : random_(random) {}

  std::string Play() {
    const int requests = static_cast<int>(random_.Between(1, 60));
    for (int i = 0; i < requests && wrong_.empty(); ++i) Request();
    return wrong_;
  }

 private:
  static constexpr const char* kNames[] = {"api", "web", "worker", "7", "-x", ""};
  static constexpr const char* kFolders[] = {"/srv/api", "/srv/web", "/srv/worker", "relative", ""};
  static constexpr const char* kVariables[] = {"PORT", "A", "B", "C=D", ""};
  static constexpr const char* kValues[] = {"1", "80", "x", "70000"};

  template <std::size_t N>
  std::string Any(const char* const (&from)[N]) {
    // The last ones are those that must be refused; not too often.
    const bool any = random_.Chance(20);
    return from[random_.Below(static_cast<unsigned>(any ? N : N - 2))];
  }
  std::uint32_t AnySize() {
    return random_.Chance(20) ? kSizeCpu : static_cast<std::uint32_t>(random_.Between(0, 1030));
  }

  void Request() {
    const int dice = static_cast<int>(random_.Below(100));
    if (dice < 30) return Judge(AnyStart(), nullptr);
    if (dice < 38) return Judge(registry_.ProposeCreate(Any(kNames), AnySize()), nullptr);
    if (registry_.wishes().empty()) return;
    auto which = registry_.wishes().begin();
    std::advance(which, random_.Below(static_cast<unsigned>(registry_.wishes().size())));
    const ServiceId id = which->first;
    const Wish* wish = registry_.Get(id);
    if (dice < 46) return Judge(registry_.ProposeRun(id), wish);
    if (dice < 55) return Judge(registry_.ProposeStop(id, random_.Chance(50)), wish);
    if (dice < 65) {
      const RollMode mode = random_.Chance(50) ? RollMode::kRolling : RollMode::kRestart;
      return Judge(registry_.ProposeRestart(id, mode, random_.Below(4) + 1), wish);
    }
    if (dice < 75) return Judge(registry_.ProposeSize(id, AnySize()), wish);
    if (dice < 90) {
      Environment set;
      if (random_.Chance(70)) set[Any(kVariables)] = Any(kValues);
      std::vector<std::string> unset;
      if (random_.Chance(30)) unset.push_back(Any(kVariables));
      return Judge(registry_.ProposeEnvironment(id, set, unset, random_.Chance(70)), wish);
    }
    if (dice < 95) return Judge(registry_.ProposeRemove(id), wish);
    if (wish->removing) registry_.Forget(id);
  }

  Result<Proposal> AnyStart() {
    StartWish start = App(Any(kNames), Any(kFolders));
    const auto maybe = [&](const char* option) {
      const bool given = random_.Chance(25);
      if (given) start.given.emplace_back(option);
      return given;
    };
    maybe("name");
    if (maybe("port")) start.spec.port = static_cast<std::uint16_t>(random_.Between(0, 65535));
    if (maybe("env")) start.spec.environment[Any(kVariables)] = Any(kValues);
    if (maybe("drain-timeout")) start.spec.drain_timeout = random_.Between(-1, 5000);
    if (random_.Chance(30)) start.size = AnySize();
    start.replace = random_.Chance(20);
    return registry_.ProposeStart(start);
  }

  // `before`: the wish of the service that was spoken of; nullptr if the answer says which it is.
  void Judge(const Result<Proposal>& answer, const Wish* before) {
    if (!answer) {
      if (answer.error().message.empty()) wrong_ = "refused without a word";
      return;
    }
    const Wish& after = answer->wish;
    if (before == nullptr) before = registry_.Get(after.id);
    if (before == nullptr) {
      if (after.id <= newest_) wrong_ = "an id was used twice";
    } else {
      if (after.id != before->id) wrong_ = "it became another service";
      if (answer->changed != (after.order == before->order + 1) ||
          (!answer->changed && after.order != before->order)) {
        wrong_ = "the order does not tell a change";
      }
      const Generation expected = before->generation + (answer->new_generation ? 1U : 0U);
      if (after.generation != expected) wrong_ = "the generation does not tell a new one";
      if (before->removing && !after.removing) wrong_ = "a removal was taken back";
      if (before->removing && after.run) wrong_ = "runs what is being removed";
      if (!answer->changed && !(after.spec == before->spec)) wrong_ = "a silent change";
      if (answer->new_generation && !answer->changed) wrong_ = "a new generation without a change";
      // What workers are started with only changes with a generation, or is recorded for the next.
      if (after.run && !before->run && !answer->new_generation)
        wrong_ = "started the old generation";
    }
    if (!CheckServiceName(after.spec.name)) wrong_ = "took a bad name";
    if (after.run && after.spec.directory.empty()) wrong_ = "runs without an app";
    if (after.size != kSizeCpu && after.size > kMostWorkers) wrong_ = "took a bad size";
    if (after.spec.port && after.spec.environment.count("PORT") > 0) wrong_ = "two ports";
    for (const auto& [name, value] : after.spec.environment) {
      if (!CheckVariable(name, value)) wrong_ = "took a bad variable";
    }
    if (answer->changed && random_.Chance(90)) registry_.Commit(after);
    std::vector<std::string> names;
    for (const auto& [id, wish] : registry_.wishes()) names.push_back(wish.spec.name);
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) wrong_ = "a name twice";
    for (const auto& [id, wish] : registry_.wishes()) {
      const auto found = registry_.Find(wish.spec.name);
      if (!found || *found != id) wrong_ = "does not find a service by its name";
    }
    newest_ = std::max(newest_, registry_.last_id());
  }

  Random& random_;
  Registry registry_{false};
  ServiceId newest_ = 0;
  std::string wrong_;
};

}  // namespace

TEST_CASE("Registry: names are unique, orders and generations grow, ids are never used again") {
  RunHistories(10'000, [](Random& random) { return Clients(random).Play(); });
}

TEST_CASE("A new service gets the next id and its first generation") {
  Registry registry(false);
  registry.Reserve(4);
  const Wish& wish = Commit(registry, registry.ProposeStart(App("api")));
  CHECK(wish.id == 5);
  CHECK(wish.generation == 1);
  CHECK(wish.order == 1);
  CHECK(wish.run);
  CHECK(wish.size == kSizeCpu);
  CHECK(wish.mode == RollMode::kRestart);
  registry.Forget(5);
  CHECK(Commit(registry, registry.ProposeCreate("web", 2)).id == 6);
}

TEST_CASE("A service is found by name or id, and a slip of the finger is pointed out") {
  Registry registry = With(App("my-app"));
  CHECK(*registry.Find("my-app") == 1);
  CHECK(*registry.Find("1") == 1);
  CHECK(registry.Find("2").error().code == ErrorCode::kNotFound);
  CHECK(registry.Find("my-ap").error().message ==
        "there is no service 'my-ap'; did you mean 'my-app'?");
  CHECK(registry.Find("zzz").error().message ==
        "there is no service 'zzz'; `slc ctl ls` lists those there are");
  CHECK(registry.Find("\x1b[2J").error().message.find('\x1b') == std::string::npos);
  CHECK(Registry(false).Find("x").error().message == "there is no service 'x'");
}

TEST_CASE("The same folder again changes nothing, or says what it changes and rolls") {
  Registry registry = With(App("api"));
  auto again = registry.ProposeStart(App("api"));
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(Notes(*again, "nothing has changed"));

  StartWish other = App("api");
  other.spec.script = "app.js";
  other.spec.port = 4000;
  other.given = {"port"};
  auto changed = registry.ProposeStart(other);
  REQUIRE(changed);
  CHECK(changed->new_generation);
  CHECK(changed->wish.mode == RollMode::kRolling);
  CHECK(Notes(*changed, "script server.js -> app.js"));
  CHECK(Notes(*changed, "port (default) -> 4000"));

  StartWish larger = App("api");
  larger.size = 3;
  auto resized = registry.ProposeStart(larger);
  REQUIRE(resized);
  CHECK(resized->changed);
  CHECK_FALSE(resized->new_generation);
  CHECK(Notes(*resized, "size cpu -> 3"));
}

TEST_CASE("Options that are not given again stay") {
  StartWish start = App("api");
  start.spec.port = 4000;
  start.spec.environment = {{"A", "1"}};
  start.spec.drain_timeout = 77;
  start.spec.readiness = Readiness::kAlive;
  start.given = {"port", "env", "drain-timeout", "ready"};
  Registry registry = With(start);
  StartWish again = App("api");
  again.spec.environment = {{"B", "2"}};
  again.given = {"env"};
  auto proposal = registry.ProposeStart(again);
  REQUIRE(proposal);
  const ServiceSpec& spec = proposal->wish.spec;
  CHECK(spec.environment == Environment{{"A", "1"}, {"B", "2"}});
  CHECK(spec.port == 4000);
  CHECK(spec.drain_timeout == 77);
  CHECK(spec.readiness == Readiness::kAlive);
}

TEST_CASE("A name from another folder is refused, naming both, unless it is to be replaced") {
  Registry registry = With(App("api", "/srv/one"));
  StartWish other = App("api", "/srv/two");
  const auto refused = registry.ProposeStart(other);
  CHECK(Says(refused, "/srv/one"));
  CHECK(Says(refused, "/srv/two"));
  CHECK(refused.error().code == ErrorCode::kConflict);
  other.replace = true;
  auto replaced = registry.ProposeStart(other);
  REQUIRE(replaced);
  CHECK(replaced->wish.id == 1);
  CHECK(replaced->wish.spec.directory == "/srv/two");
}

TEST_CASE("A folder that runs under a name of its own is meant when no name is given") {
  Registry registry = With(App("renamed"));
  auto proposal = registry.ProposeStart(App("api"));
  REQUIRE(proposal);
  CHECK(proposal->wish.id == 1);
  CHECK(proposal->wish.spec.name == "renamed");
  StartWish second = App("api");
  second.given = {"name"};
  auto another = registry.ProposeStart(second);
  REQUIRE(another);
  CHECK(another->wish.id == 2);
}

TEST_CASE("A quarantined service is found by name and id, and takes no orders") {
  Registry registry = With(App("web"));
  Quarantined bad;
  bad.id = 5;
  bad.name = "api";
  bad.reason = "this is not JSON";
  registry.Quarantine(bad);
  CHECK(registry.last_id() == 5);
  for (const char* called : {"api", "5"}) {
    REQUIRE(registry.FindQuarantined(called) != nullptr);
    const auto refused = registry.Find(called);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kConflict);
    CHECK(refused.error().message.find("quarantined: services/5.json is unreadable (this is not "
                                       "JSON)") != std::string::npos);
  }
  CHECK(Says(registry.ProposeCreate("api", 1), "quarantined"));
  CHECK(registry.FindQuarantined("web") == nullptr);
  CHECK(registry.FindQuarantined("1") == nullptr);
  CHECK(registry.Find("ap").error().message.find("did you mean 'api'?") != std::string::npos);
  registry.Forget(5);
  CHECK(registry.Find("api").error().code == ErrorCode::kNotFound);
}

TEST_CASE("Starting its app again repairs a quarantined service: its id, beyond what it obeyed") {
  Registry registry(false);
  Quarantined bad;
  bad.id = 5;
  bad.name = "api";
  bad.directory = "/srv/app";
  bad.command = {"/usr/bin/node", "/srv/app/server.js"};
  bad.obeyed = FleetWish{true, false, 3, 7, RollMode::kRestart, 1, 40};
  registry.Quarantine(bad);
  StartWish by_name = App("api");
  by_name.given = {"name"};
  // By its name, or without one by its folder.
  for (const StartWish& start : {by_name, App("app-of-that-package")}) {
    auto repaired = registry.ProposeStart(start);
    REQUIRE(repaired);
    CHECK(repaired->wish.id == 5);
    CHECK(repaired->wish.spec.name == "api");
    CHECK(repaired->wish.size == 3);
    CHECK(repaired->wish.generation == 8);
    CHECK(repaired->wish.order == 41);
    CHECK(repaired->wish.mode == RollMode::kRolling);
    CHECK(repaired->wish.run);
    CHECK(Notes(*repaired, "repaired: services/5.json"));
  }
  CHECK(registry.ProposeStart(App("other", "/srv/other"))->wish.id == 6);
  // It may be another app of that name.
  StartWish elsewhere = App("api", "/srv/two");
  const auto refused = registry.ProposeStart(elsewhere);
  CHECK(Says(refused, "/srv/app"));
  CHECK(Says(refused, "/srv/two"));
  elsewhere.replace = true;
  CHECK(registry.ProposeStart(elsewhere)->wish.id == 5);
  bad.removing = true;
  registry.Quarantine(bad);
  CHECK(Says(registry.ProposeStart(by_name), "being removed"));
  // Of one that does not run nothing has to be rolled.
  bad.removing = false;
  bad.obeyed.reset();
  registry.Quarantine(bad);
  const Wish& wish = Commit(registry, registry.ProposeStart(by_name));
  CHECK(wish.mode == RollMode::kRestart);
  CHECK(wish.size == kSizeCpu);
  CHECK(registry.quarantined().empty());
  CHECK(*registry.Find("api") == 5);
}

TEST_CASE("A new service is not taken for one that is quarantined without a name, which is said") {
  Registry registry(false);
  Quarantined bad;
  bad.id = 1;
  registry.Quarantine(bad);
  auto proposal = registry.ProposeStart(App("api"));
  REQUIRE(proposal);
  CHECK(proposal->wish.id == 2);
  CHECK(Notes(*proposal, "slc ctl remove 1"));
}

TEST_CASE("What was recorded for a created service is there when its app comes") {
  Registry registry(false);
  Commit(registry, registry.ProposeCreate("api", 2));
  Commit(registry, registry.ProposeEnvironment(1, {{"A", "1"}, {"B", "2"}}, {}, true));
  CHECK_FALSE(registry.Get(1)->run);
  CHECK(Says(registry.ProposeRun(1), "has no app yet"));
  CHECK(Says(registry.ProposeRestart(1, RollMode::kRolling, 1), "has no app yet"));
  StartWish start = App("api");
  start.spec.environment = {{"B", "3"}};
  start.given = {"env"};
  const Wish& wish = Commit(registry, registry.ProposeStart(start));
  CHECK(wish.id == 1);
  CHECK(wish.size == 2);
  CHECK(wish.generation == 1);
  CHECK(wish.spec.environment == Environment{{"A", "1"}, {"B", "3"}});
}

TEST_CASE("Of --port and PORT the newer one stays") {
  StartWish start = App("api");
  start.spec.environment = {{"PORT", "4000"}};
  Registry registry = With(start);
  CHECK(EffectivePort(*registry.Get(1)) == 4000);
  StartWish port = App("api");
  port.spec.port = 5000;
  port.given = {"port"};
  Commit(registry, registry.ProposeStart(port));
  CHECK(EffectivePort(*registry.Get(1)) == 5000);
  CHECK(registry.Get(1)->spec.environment.count("PORT") == 0);
  Commit(registry, registry.ProposeEnvironment(1, {{"PORT", "6000"}}, {}, true));
  CHECK(EffectivePort(*registry.Get(1)) == 6000);
  CHECK_FALSE(registry.Get(1)->spec.port);
  CHECK(Says(registry.ProposeEnvironment(1, {{"PORT", "70000"}}, {}, true), "0 to 65535"));
}

TEST_CASE(
    "env-set rolls a running service, records for a stopped one, and does nothing for no change") {
  Registry registry = With(App("api"));
  auto rolled = registry.ProposeEnvironment(1, {{"A", "1"}}, {}, true);
  CHECK(rolled->new_generation);
  CHECK(rolled->wish.mode == RollMode::kRolling);
  auto recorded = registry.ProposeEnvironment(1, {{"A", "1"}}, {}, false);
  CHECK(recorded->changed);
  CHECK_FALSE(recorded->new_generation);
  Commit(registry, rolled);
  CHECK_FALSE(registry.ProposeEnvironment(1, {{"A", "1"}}, {"X"}, true)->changed);
  CHECK(registry.ProposeEnvironment(1, {}, {"A"}, true)->wish.spec.environment.empty());
  for (const char* bad : {"", "A=B"}) {
    CHECK_FALSE(registry.ProposeEnvironment(1, {{bad, "x"}}, {}, true));
  }
  CHECK_FALSE(registry.ProposeEnvironment(1, {{std::string("A\0B", 3), "x"}}, {}, true));
  CHECK_FALSE(registry.ProposeEnvironment(1, {{"A", std::string("x\0y", 3)}}, {}, true));
}

TEST_CASE("Stop is idempotent, and a hard stop may follow a soft one") {
  Registry registry = With(App("api"));
  CHECK(registry.ProposeRun(1)->changed == false);
  Commit(registry, registry.ProposeStop(1, true));
  CHECK_FALSE(registry.ProposeStop(1, true)->changed);
  Commit(registry, registry.ProposeStop(1, false));
  CHECK_FALSE(registry.ProposeStop(1, true)->changed);
  CHECK_FALSE(registry.ProposeStop(1, false)->changed);
  const Wish& again = Commit(registry, registry.ProposeRun(1));
  CHECK(again.run);
  CHECK(again.generation == 2);
}

TEST_CASE("A soft restart of a stopped service starts it") {
  Registry registry = With(App("api"));
  Commit(registry, registry.ProposeStop(1, false));
  auto proposal = registry.ProposeRestart(1, RollMode::kRolling, 2);
  CHECK(proposal->wish.run);
  CHECK(proposal->wish.mode == RollMode::kRestart);
}

TEST_CASE("What is being removed takes no orders to run") {
  Registry registry = With(App("api"));
  Commit(registry, registry.ProposeRemove(1));
  CHECK(Says(registry.ProposeStart(App("api")), "is being removed"));
  CHECK(Says(registry.ProposeRun(1), "is being removed"));
  CHECK(Says(registry.ProposeRestart(1, RollMode::kRestart, 1), "is being removed"));
  CHECK_FALSE(registry.ProposeCreate("api", 1));
}

TEST_CASE("Bad specs are refused with a reason") {
  Registry registry(false);
  const auto refused = [&](auto change, const std::string& words) {
    StartWish start = App("api");
    change(start);
    const auto answer = registry.ProposeStart(start);
    CAPTURE(words);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().message.find(words) != std::string::npos);
  };
  refused([](StartWish& s) { s.spec.name = "12"; }, "is no name");
  refused([](StartWish& s) { s.spec.directory = "srv"; }, "absolute");
  refused([](StartWish& s) { s.spec.directory = ""; }, "absolute");
  refused([](StartWish& s) { s.spec.script = ""; }, "no script");
  refused([](StartWish& s) { s.spec.run_as = "nobody"; }, "sudo");
  refused([](StartWish& s) { s.spec.stop_signal = "SIGFOO"; }, "SIGFOO");
  refused([](StartWish& s) { s.spec.environment = {{"A=B", "1"}}; }, "A=B");
  refused([](StartWish& s) { s.spec.ready_timeout = 99; }, "100ms");
  refused([](StartWish& s) { s.spec.drain_timeout = -1; }, "--drain-timeout");
  refused([](StartWish& s) { s.spec.stop_timeout = 86'400'001; }, "24h");
  refused([](StartWish& s) { s.size = 1025; }, "1024");
  CHECK_FALSE(registry.ProposeCreate("api", 1025));
  CHECK_FALSE(registry.ProposeCreate("7", 1));
  StartWish good = App("api");
  good.spec.run_as = "nobody";
  CHECK(Registry(true).ProposeStart(good).ok());
  Registry one = With(App("api"));
  CHECK_FALSE(one.ProposeSize(1, 1025));
  CHECK(one.ProposeSize(1, 1024)->changed);
  CHECK(one.ProposeSize(1, 0)->changed);
  CHECK_FALSE(one.ProposeSize(1, kSizeCpu)->changed);
}

}  // namespace slc
