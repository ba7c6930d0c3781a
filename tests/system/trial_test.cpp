// A generation that is tried by one worker before it is rolled. There is no verb for that alone, so
// the test is slcd itself, as far as masters are concerned: the real hands on services (Services)
// and a real slc-master with real workers.
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/wire/snapshot_format.h"
#include "daemon/generation_resolver.h"
#include "daemon/services.h"
#include "tests/system/harness.h"
#include "tests/system/load_checks.h"

using namespace slc;
using namespace slc::test;

namespace {

constexpr ServiceId kService = 1;
constexpr Millis kPatience = 30'000;

// Tells who it is. RELEASE=crash: it ends while it boots; RELEASE=short: 300 ms after it listens.
const char* const kServer =
    "const release = process.env.RELEASE;\n"
    "if (release === 'crash') { console.log('no such database'); process.exit(3); }\n"
    "require('http').createServer((request, response) => response.end(`${process.pid}\\n`))\n"
    "  .listen(process.env.PORT, () => {\n"
    "    if (release === 'short') setTimeout(() => process.exit(0), 300);\n"
    "  });\n";

// What slcd is to masters; it has no clients and no disk.
class Hands {
 public:
  explicit Hands(World& world)
      : home_(HomeOf(world)),
        fd_store_(loop_, false),
        traces_(world.home()),
        installed_{std::filesystem::path(BinaryPath("slc-master")).parent_path()},
        previous_(world.home(), installed_),
        registry_(false),
        disk_(loop_) {
    context_.instances = home_.instances.get();
    context_.epoch = static_cast<Epoch>(BootNow());
    context_.home = world.home();
    context_.logs = world.home() + "/logs";
    struct stat info {};
    ::fstat(home_.home.get(), &info);
    context_.home_key = std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino);
    context_.installed = installed_;
    context_.daemon_program = installed_.daemon();
    context_.master_program = installed_.master();
    context_.previous = &previous_;
    ::getrlimit(RLIMIT_NOFILE, &context_.nofile);
    ::getrlimit(RLIMIT_CORE, &context_.core);
    context_.revive = false;
    context_.fd_store = &fd_store_;
    context_.traces = &traces_;
    context_.is_ours = [] { return true; };
    context_.watch_directory = [](ServiceId) {};
    wish_.id = kService;
    wish_.spec.name = "web";
    wish_.spec.script = "server.js";
    wish_.spec.caller_environment = {{"PATH", world.env().at("PATH")}};
    wish_.spec.port = FreePort();
    services_ = std::make_unique<Services>(loop_, context_, registry_, disk_, Events());
  }
  ~Hands() {
    if (services_ == nullptr) return;
    services_->StopAll();
    Await([&] { return !services_->AnyMaster(); }, "the end of its master");
  }
  Hands(const Hands&) = delete;
  Hands& operator=(const Hands&) = delete;

  Wish& wish() { return wish_; }
  Services& services() { return *services_; }
  const InstanceState& state() {
    const InstanceState* state = services_->InstanceOf(kService).ReadState();
    REQUIRE(state != nullptr);
    return *state;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(*wish_.spec.port) + "/"; }

  void Start(std::uint32_t size) {
    wish_.run = true;
    wish_.size = size;
    wish_.mode = RollMode::kRestart;
    Renew();
    Order();
    AwaitRunning();
  }
  // A new generation of RELEASE=`release` that is only tried.
  void Try(const std::string& release) {
    wish_.mode = RollMode::kRolling;
    wish_.spec.environment["RELEASE"] = release;
    Renew();
    wish_.trial = true;
    Order();
  }
  void EndTrial() {
    wish_.trial = false;
    Order();
  }
  // To the config of an older generation.
  void RollBack(Generation to) {
    wish_.mode = RollMode::kRolling;
    wish_.trial = false;
    ++wish_.generation;
    const Status same = services_->AddConfigOf(wish_, to);
    REQUIRE_MESSAGE(same, (same ? "" : same.error().message));
    Order();
  }
  void Order() {
    ++wish_.order;
    registry_.Commit(wish_);
    services_->Order(wish_);
  }
  // As a slcd that was killed: another one finds the master.
  void Again() {
    services_.reset();
    context_.epoch = std::max(context_.epoch + 1, static_cast<Epoch>(BootNow()));
    services_ = std::make_unique<Services>(loop_, context_, registry_, disk_, Events());
    services_->TakeUp(wish_);
    Await([&] { return services_->Settled(); }, "the master is found");
  }

  // Lets the loop turn until then.
  void Await(const std::function<bool()>& condition, const std::string& what) {
    const Millis until = BootNow() + kPatience;
    bool met = false;
    uv::Timer timer(loop_, [&] {
      met = condition();
      if (met || BootNow() > until) return loop_.Stop();
      timer.StartIn(5);
    });
    timer.StartIn(0);
    loop_.Run();
    REQUIRE_MESSAGE(met, what);
  }
  void AwaitRunning() {
    Await(
        [&] {
          const auto& facts = services_->InstanceOf(kService).facts();
          return facts && facts->order == wish_.order && facts->phase == "running";
        },
        "it runs");
  }
  TrialStand Stand() {
    const auto stand = services_->StandOf(kService, wish_.generation);
    return stand ? *stand : TrialStand();
  }
  void AwaitStep(TrialStep step) {
    Await([&] { return Stand().step == step; }, "the trial is at the step");
  }
  // Of workers that serve, and are of that generation.
  std::set<pid_t> PidsOf(Generation generation) {
    const InstanceState& all = state();
    std::set<pid_t> pids;
    for (const auto& [id, worker] : all.fleet.workers) {
      if (worker.generation != generation || !Serves(worker)) continue;
      pids.insert(all.workers.at(id).process.pid);
    }
    return pids;
  }

 private:
  void Renew() {
    ++wish_.generation;
    const auto config = ResolveGeneration(wish_);
    REQUIRE_MESSAGE(config, (config ? "" : config.error().message));
    const auto memfd = MakeMemfd("slc-config", DumpJson(ToJson(*config)));
    REQUIRE(memfd);
    registry_.Commit(wish_);
    services_->AddConfig(wish_, UniqueFd(*memfd));
  }
  static HomeDirectories HomeOf(const World& world) {
    auto home = OpenHome(HomePaths{world.home(), world.home() + "/run"});
    REQUIRE(home);
    return std::move(*home);
  }
  static Services::Events Events() {
    Services::Events events;
    events.on_facts = [](ServiceId, const link::Facts&) {};
    events.on_notice = [](ServiceId, const link::Notice&) {};
    events.on_record = [](ServiceId, const JournalRecord&) {};
    events.on_nobody = [](ServiceId) {};
    events.on_launch_failed = [](ServiceId, const Error& error) { FAIL(error.message); };
    events.on_gone = [](ServiceId) {};
    events.on_prepared = [](ServiceId) {};
    events.on_upgraded = [](const UpgradeEvent&) {};
    events.on_inspected = [](const link::Inspected&, const std::vector<UniqueFd>&) {};
    events.on_cut = [](ServiceId) {};
    // Those of the harness are none of ours to reap.
    events.is_awaited = [](int) { return true; };
    return events;
  }

  uv::Loop loop_;
  HomeDirectories home_;
  FdStore fd_store_;
  Traces traces_;
  Installation installed_;
  PreviousVersion previous_;
  DaemonContext context_;
  Registry registry_;
  uv::DiskThread disk_;
  Wish wish_;
  std::unique_ptr<Services> services_;
};

// An app in its folder, that runs in two workers.
void StartServer(World& world, Hands& hands, Balance balance) {
  hands.wish().spec.directory = world.MakeFolder("app", {{"server.js", kServer}});
  hands.wish().spec.balance = balance;
  hands.Start(2);
  REQUIRE(hands.services().StandOf(kService, 1));
}

Words Lanes(const Hands& hands) {
  return {"name=keep,connections=8,think=0-50,url=" + hands.url(),
          "name=close,mode=close,connections=4,rate=80,url=" + hands.url()};
}

}  // namespace

TEST_SUITE("trial") {
  TEST_CASE("tried, and then rolled: no request fails, whichever the way") {
    for (const Balance balance :
         {Balance::kRr, Balance::kSticky, Balance::kSlots, Balance::kShared}) {
      INFO(std::string(Name(balance)));
      World world;
      Hands hands(world);
      StartServer(world, hands, balance);
      const std::set<pid_t> old = hands.PidsOf(1);
      LoadClient load(world, Lanes(hands));
      hands.Try("two");
      hands.AwaitStep(TrialStep::kServes);
      const std::set<pid_t> tried = hands.PidsOf(2);
      CHECK(tried.size() == 1);
      load.AwaitAnswers(300);
      CHECK(hands.PidsOf(1) == old);
      CHECK(hands.PidsOf(2) == tried);
      // By its client's address one goes to the same slot each time, perhaps to another.
      if (balance != Balance::kSticky) {
        const std::string pid = std::to_string(*tried.begin()) + "\n";
        WaitUntil([&] { return Get(hands.url()).body == pid; }, 10'000,
                  "an answer of who is tried");
      }
      hands.EndTrial();
      hands.AwaitRunning();
      CHECK(hands.PidsOf(2).size() == 2);
      CHECK(hands.PidsOf(2).count(*tried.begin()) == 1);
      load.AwaitAnswers(100);
      const LoadReport report = load.Stop();
      MESSAGE(std::string(Name(balance)), ": ", report.ok(), " requests, ", report.failed(),
              " failed", Figures(report));
      CheckNoneFailed(report);
    }
  }

  TEST_CASE("tried, and then rolled back: the old workers serve on, and no request fails") {
    for (const Balance balance :
         {Balance::kRr, Balance::kSticky, Balance::kSlots, Balance::kShared}) {
      INFO(std::string(Name(balance)));
      World world;
      Hands hands(world);
      StartServer(world, hands, balance);
      const std::set<pid_t> old = hands.PidsOf(1);
      LoadClient load(world, Lanes(hands));
      hands.Try("two");
      hands.AwaitStep(TrialStep::kServes);
      load.AwaitAnswers(300);
      hands.RollBack(1);
      hands.AwaitRunning();
      CHECK(hands.PidsOf(3) == old);
      load.AwaitAnswers(100);
      const LoadReport report = load.Stop();
      MESSAGE(std::string(Name(balance)), ": ", report.ok(), " requests, ", report.failed(),
              " failed", Figures(report));
      CheckNoneFailed(report);
      // One of them is followed like any other.
      const auto victim = IdentifyProcess(*old.begin());
      REQUIRE(victim);
      Kill(*victim);
      hands.Await([&] { return hands.PidsOf(3).size() == 2 && hands.PidsOf(3) != old; },
                  "a successor");
    }
  }

  TEST_CASE("a trial that fails says why, and costs the old workers nothing") {
    World world;
    Hands hands(world);
    StartServer(world, hands, Balance::kRr);
    const std::set<pid_t> old = hands.PidsOf(1);
    LoadClient load(world, Lanes(hands));
    hands.Try("crash");
    hands.AwaitStep(TrialStep::kFailed);
    CHECK(hands.Stand().reason == "exit code 3");
    const auto facts = hands.services().InstanceOf(kService).facts();
    REQUIRE(facts);
    REQUIRE(facts->log_tail.size() == 1);
    CHECK(Contains(facts->log_tail[0], "no such database"));
    hands.RollBack(1);
    hands.AwaitRunning();
    CHECK(hands.PidsOf(3) == old);
    CheckNoneFailed(load.Stop());
  }

  TEST_CASE("who ends after it has served has failed its trial, and is not followed") {
    World world;
    Hands hands(world);
    StartServer(world, hands, Balance::kShared);
    const std::set<pid_t> old = hands.PidsOf(1);
    hands.Try("short");
    hands.AwaitStep(TrialStep::kServes);
    const WorkerId tried = hands.Stand().worker;
    hands.AwaitStep(TrialStep::kFailed);
    CHECK(hands.Stand().reason == "exit code 0");
    CHECK(hands.Stand().worker == tried);
    CHECK(hands.PidsOf(1) == old);
    CHECK(hands.state().fleet.last_worker == tried);
  }

  TEST_CASE("old workers that are killed in a trial are followed by their like") {
    for (const Balance balance : {Balance::kRr, Balance::kSlots}) {
      INFO(std::string(Name(balance)));
      World world;
      Hands hands(world);
      StartServer(world, hands, balance);
      const std::set<pid_t> old = hands.PidsOf(1);
      hands.Try("two");
      hands.AwaitStep(TrialStep::kServes);
      for (const pid_t pid : old) Kill(*IdentifyProcess(pid));
      hands.Await(
          [&] {
            const std::set<pid_t> now = hands.PidsOf(1);
            return now.size() == 2 && now.count(*old.begin()) == 0 && now.count(*old.rbegin()) == 0;
          },
          "their successors");
      CHECK(hands.Stand().step == TrialStep::kServes);
      for (int i = 0; i < 20; ++i) CHECK(Get(hands.url()).status == 200);
    }
  }

  TEST_CASE("a trial goes on when its master is killed, and when slcd is") {
    for (const Balance balance : {Balance::kRr, Balance::kSlots}) {
      INFO(std::string(Name(balance)));
      World world;
      Hands hands(world);
      StartServer(world, hands, balance);
      const std::set<pid_t> old = hands.PidsOf(1);
      LoadClient load(world, Lanes(hands));
      hands.Try("two");
      hands.AwaitStep(TrialStep::kServes);
      const std::set<pid_t> tried = hands.PidsOf(2);
      const ProcessIdentity master = hands.state().master;
      load.AwaitKept();
      Kill(master);
      hands.Await(
          [&] {
            const auto& instance = hands.services().InstanceOf(kService);
            const InstanceState* state = instance.ReadState();
            return instance.in_charge() && state != nullptr && state->master != master;
          },
          "another master");
      CHECK(hands.Stand().step == TrialStep::kServes);
      CHECK(hands.PidsOf(1) == old);
      CHECK(hands.PidsOf(2) == tried);
      hands.Again();
      CHECK(hands.Stand().step == TrialStep::kServes);
      load.AwaitAnswers(100);
      CHECK(hands.PidsOf(1) == old);
      CHECK(hands.PidsOf(2) == tried);
      // By design that one does not go on with it.
      hands.RollBack(1);
      hands.AwaitRunning();
      CHECK(hands.PidsOf(3) == old);
      const LoadReport report = load.Stop();
      INFO(Figures(report));
      CHECK(report.lane("keep").failed == 0);
    }
  }
}
