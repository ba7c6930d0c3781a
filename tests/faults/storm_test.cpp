// Everything at once: random blows at six services that are loaded and changed meanwhile. What may
// fail is known beforehand (windows.h), what must hold is looked at all the time (watcher.h), and
// what was acknowledged is there at the end (changing.h).
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <list>

#include <doctest/doctest.h>

#include "tests/faults/changing.h"
#include "tests/faults/faults.h"
#include "tests/faults/later.h"
#include "tests/faults/loop_disk.h"
#include "tests/faults/watcher.h"
#include "tests/faults/windows.h"

using namespace slc;
using namespace slc::test;

namespace {

constexpr Millis kShort = 60'000;
constexpr Millis kLong = 600'000;

// A failure is counted when the client sees it: the blow's moment and what two busy cores need.
constexpr Millis kBefore = 50;
constexpr Millis kNoticed = 1'500;
// Connections of FourServices' lanes: so many requests can be in flight.
constexpr std::int64_t kKept = 4;
constexpr std::int64_t kClosing = 2;
// A stopped master is seen within 12 s; slcd may be held up meanwhile.
constexpr Millis kSlowest = 16'000;

class Storm {
 public:
  Storm(World& world, Dice& dice, FourServices& services, TinyDisk& disk)
      : world_(world),
        dice_(dice),
        services_(services),
        disk_(disk),
        one_(world, dice, "one"),
        other_(world, dice, "other") {}

  // One blow at random.
  void Strike() {
    struct Kind {
      const char* name;
      int weight;
      void (Storm::*strike)();
    };
    static const std::vector<Kind> kinds{
        {"kill slcd", 4, &Storm::KillDaemon},
        {"kill a master", 4, &Storm::KillMaster},
        {"kill slcd and a master", 2, &Storm::KillBoth},
        {"kill a worker", 4, &Storm::KillWorker},
        {"hold slcd up", 2, &Storm::HoldDaemon},
        {"hold a master up", 2, &Storm::HoldMaster},
        {"stop a master", 1, &Storm::StopMaster},
        {"stop slcd", 1, &Storm::StopDaemon},
        {"roll", 3, &Storm::Roll},
        {"resize", 3, &Storm::Resize},
        {"take descriptors away", 1, &Storm::TakeDescriptors},
        {"remove a log folder", 1, &Storm::LoseLogs},
        {"fill the disk", 2, &Storm::FillDisk},
        {"upgrade", 2, &Storm::Upgrade},
        {"change", 4, &Storm::Change},
    };
    int sum = 0;
    for (const Kind& kind : kinds) sum += kind.weight;
    int at = static_cast<int>(dice_.Below(static_cast<std::size_t>(sum)));
    const Kind* chosen = kinds.data();
    while (at >= chosen->weight) at -= (chosen++)->weight;
    INFO("blow ", blows_, ": ", chosen->name);
    history_ += std::to_string(BootNow()) + " " + chosen->name + "\n";
    (this->*chosen->strike)();
    ++blows_;
    ++counts_[chosen->name];
  }

  // Closes the windows of services that are whole again.
  void Settle() {
    for (const App& app : services_.apps()) {
      if (windows_.IsOpen(app.name) && IsWhole(app.name)) {
        windows_.Close(app.name, BootNow() + kNoticed);
      }
    }
  }

  // Waits until everything is as it was, and compares with the model.
  void Calm() {
    WaitUntil([&] { return later_.IsDone(); }, 10'000, "nobody to be held up");
    for (Running& command : commands_) command.Wait(120'000);
    world_.Must({"ctl", "ls"});
    one_.CheckAgainstModel();
    other_.CheckAgainstModel();
    for (const App& app : services_.apps()) {
      world_.Must({"ctl", "set-size", app.name, "2"});
    }
    services_.CheckWhole();
    Settle();
  }

  const Windows& windows() const { return windows_; }
  std::string Counts() const {
    std::string text;
    for (const auto& [name, count] : counts_) {
      text += (text.empty() ? "" : ", ") + std::to_string(count) + " x " + name;
    }
    return text;
  }
  const std::string& history() const { return history_; }

 private:
  const App& AnyApp() { return services_.apps()[dice_.Below(services_.apps().size())]; }

  // slcd answers, and has every descriptor of every master.
  bool IsSettled() {
    const auto views = world_.Views();
    return views.size() == 6 && std::none_of(views.begin(), views.end(), [](const auto& view) {
             return view.state == "adopting" || view.facts_age > 0;
           });
  }

  bool IsWhole(const std::string& service) {
    const auto view = world_.TryView(service);
    return view && view->state == "running" &&
           world_.ReadyPids(service).size() == view->cluster_size;
  }

  // Nobody is held up or starved: for blows that are not meant to meet another.
  void AwaitPeace() {
    WaitUntil([&] { return later_.IsDone(); }, 10'000, "nobody to be held up");
    Settle();
    world_.Must({"ctl", "ls"});
    WaitUntil([&] { return IsSettled(); }, 60'000, "slcd to have adopted all");
  }

  std::optional<ProcessIdentity> MasterOf(const std::string& service) {
    const auto view = world_.TryView(service);
    if (!view || view->processes.empty() || view->processes[0].worker != 0) return std::nullopt;
    return IdentifyProcess(view->processes[0].pid);
  }

  static void Signal(const std::optional<ProcessIdentity>& process, int signal) {
    if (process) SignalProcess(OpenProcess(*process), signal);
  }

  // Whose master is being replaced right now loses slcd's copies before the successor has them all.
  void KillDaemon() {
    const auto views = world_.Views();
    for (const App& app : services_.apps()) {
      const auto view = std::find_if(views.begin(), views.end(),
                                     [&](const auto& each) { return each.name == app.name; });
      const bool adopting = view != views.end() && view->state == "adopting";
      if (adopting || BootNow() - master_killed_[app.name] < kNoticed) {
        windows_.Open(app.name, BootNow() - kBefore, "slcd killed while a master was replaced");
      }
    }
    Signal(world_.Daemon(), SIGKILL);
  }

  void KillMaster() {
    const App& app = AnyApp();
    const bool settled = IsSettled();
    const auto master = MasterOf(app.name);
    if (!master) return;
    const Millis now = BootNow();
    if (settled) {
      // The one between accept and hand-over; the successor may be killed as well.
      windows_.Allow(app.name, now - kBefore, kNoticed, 0, 1, "master killed");
    } else {
      windows_.Open(app.name, now - kBefore, "master killed that slcd did not have adopted");
    }
    master_killed_[app.name] = now;
    Signal(master, SIGKILL);
  }

  void KillBoth() {
    const App& app = AnyApp();
    const auto master = MasterOf(app.name);
    windows_.Open(app.name, BootNow() - kBefore, "slcd and master killed");
    Signal(world_.Daemon(), SIGKILL);
    Signal(master, SIGKILL);
    if (dice_.Coin()) world_.Must({"ctl", "ls"});
  }

  void KillWorker() {
    const App& app = AnyApp();
    const auto pids = world_.ReadyPids(app.name);
    if (pids.empty()) return;
    const auto victim = IdentifyProcess(pids[dice_.Below(pids.size())]);
    if (app.name == "snake") {
      // It binds the port itself: what waits in its queue dies with it, and nobody else answers if
      // it was the last one.
      windows_.Open(app.name, BootNow() - kBefore, "a worker with a queue of its own killed");
    } else {
      windows_.Allow(app.name, BootNow() - kBefore, kNoticed, kKept, kClosing, "worker killed");
    }
    Signal(victim, SIGKILL);
  }

  void Hold(const std::optional<ProcessIdentity>& process) {
    if (!process) return;
    Signal(process, SIGSTOP);
    later_.Do(BootNow() + dice_.Between(100, 3'000), [process] { Signal(process, SIGCONT); });
  }
  void HoldDaemon() { Hold(world_.Daemon()); }
  void HoldMaster() { Hold(MasterOf(AnyApp().name)); }

  // For good: slcd has to find out.
  void StopMaster() {
    AwaitPeace();
    const App& app = AnyApp();
    const auto master = MasterOf(app.name);
    if (!master) return;
    windows_.Allow(app.name, BootNow() - kBefore, 15'000, 0, 1, "master stopped and fenced");
    Signal(master, SIGSTOP);
    WaitUntil([&] { return !IsAlive(*master); }, 15'000, "the end of a stopped master");
  }

  // For good: the next slc has it replaced.
  void StopDaemon() {
    AwaitPeace();
    const auto daemon = world_.Daemon();
    if (!daemon) return;
    Signal(daemon, SIGSTOP);
    world_.Must({"ctl", "ls"});
    CHECK(!IsAlive(*daemon));
  }

  void Roll() {
    const App& app = AnyApp();
    if (app.name == "snake") return;  // its queue goes with each worker
    commands_.push_back(world_.Begin({"ctl", "soft-restart", app.name}));
  }

  void Resize() {
    const App& app = AnyApp();
    if (app.name == "snake") return;
    commands_.push_back(
        world_.Begin({"ctl", "set-size", app.name, std::to_string(dice_.Between(1, 3))}));
  }

  // slcd and masters get no more descriptors for a while.
  void TakeDescriptors() {
    AwaitPeace();
    std::vector<ProcessIdentity> starved = Masters(world_);
    if (const auto daemon = world_.Daemon()) starved.push_back(*daemon);
    for (const ProcessIdentity& each : starved) {
      rlimit limit{};
      if (::prlimit(each.pid, RLIMIT_NOFILE, nullptr, &limit) != 0) continue;
      rlimit tight = limit;
      constexpr rlim_t kMore = 5;
      tight.rlim_cur = CountOpenFiles(each.pid) + kMore;
      ::prlimit(each.pid, RLIMIT_NOFILE, &tight, nullptr);
      later_.Do(BootNow() + 2'000, [each, limit] {
        if (IsAlive(each)) ::prlimit(each.pid, RLIMIT_NOFILE, &limit, nullptr);
      });
    }
    LetPass(dice_.Between(0, 2'000));
    AwaitPeace();
  }

  void LoseLogs() {
    std::error_code ignored;
    std::filesystem::remove_all(world_.log_folder(AnyApp().name), ignored);
  }

  // Changes are refused meanwhile, and a slcd that is killed comes up on it.
  void FillDisk() {
    if (!later_.IsDone()) return;
    disk_.TakeAllBlocks();
    later_.Do(BootNow() + dice_.Between(100, 2'000), [this] { disk_.GiveBack(); });
  }

  // To the next version and back, by turns. It may be killed half-way, or meet another.
  void Upgrade() {
    const std::string version = ++upgrades_ % 2 == 1 ? "next/" : "";
    for (const char* program : {"slc", "slcd", "slc-master"}) {
      world_.Install(program, BinaryPath(version + program));
    }
    commands_.push_back(world_.Begin({"upgrade"}));
  }

  void Change() { (dice_.Coin() ? one_ : other_).Begin(); }

  World& world_;
  Dice& dice_;
  FourServices& services_;
  TinyDisk& disk_;
  Changing one_;
  Changing other_;
  Windows windows_;
  std::list<Running> commands_;
  std::map<std::string, Millis> master_killed_;
  std::map<std::string, int> counts_;
  std::string history_;
  int blows_ = 0;
  int upgrades_ = 0;
  Later later_;
};

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE("a storm of blows breaks no promise") {
    if (!CanMount()) return;
    Dice dice;
    World world;
    world.OwnPrograms();
    // Rotated logs of ten minutes have room in it.
    TinyDisk disk(world, world.home(), "size=64m");
    // Every blow is logged; what counts is judged below.
    for (const char* part : {" warning ", " error ", "has taken over"}) world.ExpectInLog(part);
    FourServices services(world);
    Storm storm(world, dice, services, disk);
    LoadClient load(world, services.lanes(), {"--timeout", "30000"});
    Watcher watcher(world);
    const Millis end = BootNow() + (Long() ? kLong : kShort);
    int blows = 0;
    while (BootNow() < end) {
      storm.Strike();
      ++blows;
      LetPass(dice.Between(0, 400));
      storm.Settle();
    }
    storm.Calm();
    const LoadReport report = load.Stop();
    const std::string broken = watcher.Stop();
    MESSAGE(blows, " blows: ", storm.Counts(), "; looked at ", watcher.looks(), " times, ",
            watcher.answers(), " of them with slcd's answer", Figures(report));
    INFO(storm.history());
    INFO(report.text);
    CHECK_MESSAGE(broken.empty(), broken);
    const std::string failed = storm.windows().Judge(report);
    CHECK_MESSAGE(failed.empty(), failed);
    CHECK(watcher.answers() > watcher.looks() / 2);
    for (const LaneReport& lane : report.lanes) {
      INFO(lane.name, ", slowest answer at ", lane.slowest_at);
      CHECK(lane.ok > 0);
      CHECK(lane.slowest <= kSlowest);
    }
    // While its home is there.
    world.End();
  }
}
