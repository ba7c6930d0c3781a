#include "tests/faults/storm.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/version.h"

namespace slc::test {
namespace {

// A failure is counted when the client sees it: the blow's moment and what two busy cores need.
constexpr Millis kBefore = 50;
constexpr Millis kNoticed = 1'500;
// Connections of FourServices' lanes: so many requests can be in flight.
constexpr std::int64_t kKept = 4;
constexpr std::int64_t kClosing = 2;
// A slcd that is dead is back within this, unasked: a master waits 2 s, and a fifth, and starts it.
constexpr Millis kRevived = 3'400;
// Its masters' services are whole 3 s after that: promised.
constexpr Millis kRestored = kRevived + 3'000 + kNoticed;
// A worker of snake's that is killed as it starts is tried again after a second.
constexpr Millis kOwnQueue = 2'000 + kNoticed;

// Places of rules.
constexpr int kProcesses = 0;
constexpr int kOneCall = 1;

// False: there is none.
bool Signal(const std::optional<ProcessIdentity>& process, int signal) {
  return process && SignalProcess(OpenProcess(*process), signal);
}

std::string SystemText(int error) { return std::generic_category().message(error); }

}  // namespace

Storm::Storm(World& world, Dice& dice, FourServices& services, TinyDisk* disk, WallClock& clock,
             FaultRules& faults)
    : world_(world),
      services_(services),
      disk_(disk),
      clock_(clock),
      faults_(faults),
      one_dice_(dice.NextSeed()),
      other_dice_(dice.NextSeed()),
      one_(world, one_dice_, "one"),
      other_(world, other_dice_, "other") {
  order_ = world.folder() + "/order";
  world.StartPath(SourcePath("tests/apps/rogue/server.js"),
                  {"--size", "2", "--name", "company", "--ready", "alive", "--env", "ROGUE_SLOT=1",
                   "--env", "ROGUE_ORDER=" + order_});
  for (const ProcessView& each : world.View("company").processes) {
    if (each.slot == 1) sound_ = each.pid;
  }
}

std::vector<Blow> Storm::Plan(Dice& dice, Millis span) {
  constexpr Millis kLongestPause = 400;
  std::size_t sum = 0;
  for (const Kind& kind : Kinds()) sum += kind.weight;
  std::vector<Blow> plan;
  // More than it has time for: blows last, too.
  for (Millis at = 0; at < 2 * span; at += plan.back().pause) {
    Blow blow;
    std::size_t weight = dice.Below(sum);
    while (weight >= Kinds()[blow.kind].weight) weight -= Kinds()[blow.kind++].weight;
    blow.pause = dice.Between(0, kLongestPause);
    blow.target = dice.Below(4);
    blow.span = dice.Between(100, 3'000);
    blow.choice = dice.Below(12);
    plan.push_back(blow);
  }
  for (Blow& blow : plan) blow.beside = dice.Below(4);
  return plan;
}

void Storm::Strike(const Blow& blow) {
  const Kind& kind = Kinds()[blow.kind];
  INFO("the blows so far:\n", history_);
  CountRefusals();
  ChangeBeside(blow);
  const Millis from = BootNow();
  history_ +=
      std::to_string(from) + " " + kind.name + ", " + services_.apps()[blow.target].name + "\n";
  if ((this->*kind.strike)(blow)) {
    Count(kind.name, from, BootNow());
  } else {
    history_ += "  nothing struck so far\n";
  }
}

void Storm::Count(const std::string& kind, Millis from, Millis to) {
  ++counts_[kind];
  troubles_.Add(kind, from, to);
}

// Of a command beside which slcd dies, or the disk is full, the most is to be learnt.
void Storm::ChangeBeside(const Blow& blow) {
  if (blow.beside < 2) return;
  Changing& changing = blow.beside == 2 ? one_ : other_;
  if (changing.HasEnded()) changing.Begin();
}

void Storm::Refuse(const FaultRule& rule, Refusal refusal) {
  if (faults_.IsArmed(refusal.place)) return;
  CountRefusals();
  faults_.Arm(rule, refusal.place);
  later_.Do(refusal.to, [this, place = refusal.place] { faults_.Disarm(place); });
  refusals_.push_back(std::move(refusal));
}

// Those that are over.
void Storm::CountRefusals() {
  std::erase_if(refusals_, [&](const Refusal& each) {
    if (faults_.IsArmed(each.place)) return false;
    if (faults_.Hits(each.place) > 0) {
      Count(each.kind, each.from, each.to);
      troubles_.Add(each.reason, each.from, each.to);
      history_ += "  " + std::string(each.kind) + ": " + each.reason + "\n";
    }
    return true;
  });
}

void Storm::BeginCommand(const char* kind, const Words& command) {
  commands_.push_back({kind, world_.Begin(command), BootNow()});
}

// A slcd that is dead is started by who asks; a call that is made to fail may hinder it, as that
// command then says.
void Storm::AwaitAnswer() {
  WaitUntil(
      [&] {
        const Millis begun = BootNow();
        const Ran ran = world_.Slc({"ctl", "ls"});
        if (ran.code != 0) failed_.push_back({ran, begun});
        return ran.code == 0;
      },
      20'000, "an answer of slcd");
}

void Storm::Settle() {
  for (const App& app : services_.apps()) {
    if (windows_.IsOpen(app.name) && IsWhole(app.name)) {
      windows_.Close(app.name, BootNow() + kNoticed);
    }
  }
}

void Storm::Calm() {
  WaitUntil([&] { return later_.IsDone(); }, 10'000, "nobody to be held up");
  CountRefusals();
  for (Begun& each : commands_) {
    const Ran& ran = each.command.Wait(120'000);
    if (ran.code != 0) failed_.push_back({ran, each.at});
    troubles_.Add(each.kind, each.at, each.at + ran.took);
  }
  world_.Must({"ctl", "ls"});
  RollAgain();
  one_.CheckAgainstModel();
  other_.CheckAgainstModel();
  for (const App& app : services_.apps()) {
    world_.Must({"ctl", "set-size", app.name, "2"});
  }
  services_.CheckWhole();
  Settle();
  CheckCompany();
  CheckCounts();
  CheckVersions();
  for (const Changing* each : {&one_, &other_}) {
    for (const Failed& failed : each->failed()) {
      failed_.push_back(failed);
      // What it has begun may go on without it.
      troubles_.Add("change", failed.begun, failed.begun + failed.ran.took);
    }
  }
}

std::string Storm::Unexplained() const {
  std::string text;
  for (const Failed& each : failed_) {
    if (troubles_.Explain(each)) continue;
    text += "from " + std::to_string(each.begun) + " for " + std::to_string(each.ran.took) +
            " ms, exit code " + std::to_string(each.ran.code) + ": " + each.ran.out + each.ran.err +
            "\n";
  }
  return text;
}

// A roll that has met a blow is given up and stays so, as told: whoever wants it says so again.
void Storm::RollAgain() {
  for (const ServiceView& view : world_.Views()) {
    if (view.state == "failed") world_.Must({"ctl", "soft-restart", view.name});
  }
}

std::string Storm::Counts() const {
  std::string text;
  for (const auto& [name, count] : counts_) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " x " + name;
  }
  return text;
}

int Storm::struck() const {
  int sum = 0;
  for (const auto& [name, count] : counts_) sum += count;
  return sum;
}

std::string Storm::NeverStruck() const {
  std::string text;
  for (const Kind& kind : Kinds()) {
    if (counts_.count(kind.name) == 0) text += (text.empty() ? "" : ", ") + std::string(kind.name);
  }
  return text;
}

const std::vector<Storm::Kind>& Storm::Kinds() {
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
      {"refuse processes", 2, &Storm::RefuseProcesses},
      {"fail a call", 3, &Storm::FailCall},
      {"remove a log folder", 1, &Storm::LoseLogs},
      {"fill the disk", 2, &Storm::FillDisk},
      {"upgrade", 2, &Storm::Upgrade},
      {"change", 4, &Storm::Change},
      {"rogue worker", 2, &Storm::Misbehave},
      {"clock", 2, &Storm::JumpClock},
  };
  return kinds;
}

void Storm::CheckCompany() {
  const ServiceView view = world_.WaitForState("company", "running", 30'000);
  for (const ProcessView& each : view.processes) {
    if (each.slot == 1) CHECK(each.pid == sound_);
  }
}

// One slcd, a master for each service that runs, the workers that slcd knows, and nobody else.
void Storm::CheckCounts() {
  std::size_t masters = 0;
  std::size_t workers = 0;
  for (const ServiceView& view : world_.Views()) {
    INFO("service ", view.name);
    if (view.processes.empty()) continue;
    CHECK(view.processes.size() == 1 + view.cluster_size);
    ++masters;
    workers += view.cluster_size;
  }
  CHECK(Masters(world_).size() == masters);
  CHECK(world_.Supervisors().size() == 1 + masters);
  CHECK(world_.Workers().size() == workers);
}

// All of them are of one version, once they are told to be. Not of the next: a slcd of it that
// the storm has killed three times at its start is not tried again.
void Storm::CheckVersions() {
  InstallAll("");
  // A stop that a full disk took into its spare file only is brought into its own within a
  // second.
  WaitUntil(
      [&] {
        return !Contains(world_.Must({"ctl", "info"}).out, "cannot be recorded");
      },
      5'000, "all changes to be recorded");
  world_.Must({"upgrade"});
  const auto info = world_.Json({"ctl", "info"}).at("info");
  CHECK(info.at("version") == OwnVersion().text);
  for (const auto& master : info.at("masters")) {
    INFO("master of ", master.at("service").get<std::string>());
    CHECK(master.at("version") == OwnVersion().text);
  }
}

void Storm::InstallAll(const std::string& version) {
  for (const char* program : {"slc", "slcd", "slc-master"}) {
    world_.Install(program, BinaryPath(version + program));
  }
}

// slcd answers, and has every descriptor of every master.
bool Storm::IsSettled() {
  const auto views = world_.Views();
  return views.size() == 7 && std::none_of(views.begin(), views.end(), [](const auto& view) {
           return view.state == "adopting" || view.facts_age > 0;
         });
}

bool Storm::IsWhole(const std::string& service) {
  const auto view = world_.TryView(service);
  return view && view->state == "running" && world_.ReadyPids(service).size() == view->cluster_size;
}

// Nobody is held up or starved: for blows that are not meant to meet another.
void Storm::AwaitPeace() {
  WaitUntil([&] { return later_.IsDone(); }, 10'000, "nobody to be held up");
  Settle();
  AwaitAnswer();
  WaitUntil([&] { return IsSettled(); }, 60'000, "slcd to have adopted all");
}

std::optional<ProcessIdentity> Storm::MasterOf(const std::string& service) {
  const auto view = world_.TryView(service);
  if (!view || view->processes.empty() || view->processes[0].worker != 0) return std::nullopt;
  return IdentifyProcess(view->processes[0].pid);
}

// Whose master is being replaced right now loses slcd's copies before the successor has them all.
void Storm::AllowForDaemon() {
  const auto views = world_.Views();
  for (const App& app : services_.apps()) {
    const auto view = std::find_if(views.begin(), views.end(),
                                   [&](const auto& each) { return each.name == app.name; });
    const bool adopting = view != views.end() && view->state == "adopting";
    if (adopting || BootNow() - master_killed_[app.name] < kNoticed) {
      windows_.Open(app.name, BootNow() - kBefore, kRestored,
                    "slcd killed while a master was replaced");
    }
  }
  // Whatever it was about to mend has to wait for the next one.
  windows_.Prolong(kRevived);
}

bool Storm::KillDaemon(const Blow& /*blow*/) {
  AllowForDaemon();
  return Signal(world_.Daemon(), SIGKILL);
}

bool Storm::KillMaster(const Blow& blow) {
  const App& app = AppOf(blow);
  const bool settled = IsSettled();
  const auto master = MasterOf(app.name);
  if (!master) return false;
  const Millis now = BootNow();
  if (settled) {
    // The one between accept and hand-over; the successor may be killed as well.
    windows_.Allow(app.name, now - kBefore, kNoticed, 0, 1, "master killed");
  } else {
    windows_.Open(app.name, now - kBefore, kRestored,
                  "master killed that slcd did not have adopted");
  }
  master_killed_[app.name] = now;
  return Signal(master, SIGKILL);
}

bool Storm::KillBoth(const Blow& blow) {
  const App& app = AppOf(blow);
  const auto master = MasterOf(app.name);
  AllowForDaemon();
  windows_.Open(app.name, BootNow() - kBefore, kRestored, "slcd and master killed");
  const bool one = Signal(world_.Daemon(), SIGKILL);
  const bool both = Signal(master, SIGKILL) && one;
  if (blow.choice % 2 == 0) AwaitAnswer();
  return both;
}

bool Storm::KillWorker(const Blow& blow) {
  const App& app = AppOf(blow);
  const auto pids = world_.ReadyPids(app.name);
  if (pids.empty()) return false;
  const auto victim = IdentifyProcess(pids[blow.choice % pids.size()]);
  if (app.name == "snake") {
    // It binds the port itself: what waits in its queue dies with it, and nobody else answers if
    // it was the last one.
    windows_.Open(app.name, BootNow() - kBefore, kOwnQueue,
                  "a worker with a queue of its own killed");
  } else {
    windows_.Allow(app.name, BootNow() - kBefore, kNoticed, kKept, kClosing, "worker killed");
  }
  return Signal(victim, SIGKILL);
}

bool Storm::Hold(const std::optional<ProcessIdentity>& process, Millis span) {
  if (!Signal(process, SIGSTOP)) return false;
  windows_.HoldUp(BootNow(), span);
  later_.Do(BootNow() + span, [process] { Signal(process, SIGCONT); });
  return true;
}

bool Storm::HoldDaemon(const Blow& blow) {
  const bool held = Hold(world_.Daemon(), blow.span);
  if (held) silent_ += blow.span;
  return held;
}

bool Storm::HoldMaster(const Blow& blow) { return Hold(MasterOf(AppOf(blow).name), blow.span); }

// For good: slcd has to find out.
bool Storm::StopMaster(const Blow& blow) {
  AwaitPeace();
  const App& app = AppOf(blow);
  const auto master = MasterOf(app.name);
  if (!master) return false;
  windows_.Allow(app.name, BootNow() - kBefore, 15'000, 0, 1, "master stopped and fenced");
  const Millis start = BootNow();
  if (!Signal(master, SIGSTOP)) return false;
  WaitUntil([&] { return !IsAlive(*master); }, 15'000, "the end of a stopped master");
  // What an earlier blow had broken and it was about to mend: a worker that had only started is
  // replaced by the successor.
  windows_.HoldUp(start, BootNow() - start);
  return true;
}

// For good: the next slc has it replaced.
bool Storm::StopDaemon(const Blow& /*blow*/) {
  AwaitPeace();
  const auto daemon = world_.Daemon();
  if (!daemon) return false;
  const Millis start = BootNow();
  if (!Signal(daemon, SIGSTOP)) return false;
  AwaitAnswer();
  CHECK(!IsAlive(*daemon));
  // What an earlier blow had broken and slcd was about to mend.
  windows_.HoldUp(start, BootNow() - start);
  silent_ += BootNow() - start;
  return true;
}

bool Storm::Roll(const Blow& blow) {
  BeginCommand("roll", {"ctl", "soft-restart", RollableOf(blow).name});
  return true;
}

bool Storm::Resize(const Blow& blow) {
  constexpr std::size_t kLargest = 3;
  const App& app = RollableOf(blow);
  const auto view = world_.TryView(app.name);
  std::size_t size = 1 + blow.choice % kLargest;
  if (view && view->cluster_size == size) size = 1 + size % kLargest;
  BeginCommand("resize", {"ctl", "set-size", app.name, std::to_string(size)});
  return true;
}

// slcd and masters get no more descriptors for a while.
bool Storm::TakeDescriptors(const Blow& blow) {
  AwaitPeace();
  std::vector<ProcessIdentity> starved = Masters(world_);
  if (const auto daemon = world_.Daemon()) starved.push_back(*daemon);
  bool struck = false;
  const Millis from = BootNow();
  for (const ProcessIdentity& each : starved) {
    rlimit limit{};
    if (::prlimit(each.pid, RLIMIT_NOFILE, nullptr, &limit) != 0) continue;
    rlimit tight = limit;
    constexpr rlim_t kMore = 5;
    tight.rlim_cur = CountOpenFiles(each.pid) + kMore;
    struck = ::prlimit(each.pid, RLIMIT_NOFILE, &tight, nullptr) == 0 || struck;
    later_.Do(BootNow() + 2'000, [each, limit] {
      if (IsAlive(each)) ::prlimit(each.pid, RLIMIT_NOFILE, &limit, nullptr);
    });
  }
  LetPass(blow.span * 2 / 3);
  AwaitPeace();
  troubles_.Add(SystemText(EMFILE), from, BootNow());
  return struck;
}

// Neither slcd nor a master can start anybody for a while.
bool Storm::RefuseProcesses(const Blow& blow) {
  windows_.HoldUp(BootNow(), blow.span);
  FaultRule rule;
  rule.call = "clone";
  rule.error = EAGAIN;
  rule.nth = -1;
  Refuse(rule,
         {"refuse processes", kProcesses, SystemText(EAGAIN), BootNow(), BootNow() + blow.span});
  return false;
}

// One call fails, of whichever process comes to it.
bool Storm::FailCall(const Blow& blow) {
  struct Call {
    const char* name;
    int error;
  };
  static const std::vector<Call> kCalls{
      {"open", EMFILE},   {"write", ENOSPC},  {"fsync", EIO},   {"rename", EIO},
      {"socket", EMFILE}, {"accept", EMFILE}, {"pipe", EMFILE}, {"sendmsg", ENOBUFS},
      {"exec", ENOMEM},   {"mmap", ENOMEM},   {"bind", ENOSPC}, {"thread", EAGAIN},
  };
  const Call& call = kCalls[blow.choice % kCalls.size()];
  history_ += std::string("  ") + call.name + "\n";
  FaultRule rule;
  rule.call = call.name;
  rule.error = call.error;
  constexpr Millis kSpread = 10;
  rule.nth = static_cast<int>(blow.span % kSpread);
  Refuse(rule, {"fail a call", kOneCall, SystemText(call.error), BootNow(), BootNow() + blow.span});
  return false;
}

bool Storm::LoseLogs(const Blow& blow) {
  std::error_code ignored;
  const auto removed = std::filesystem::remove_all(world_.log_folder(AppOf(blow).name), ignored);
  return removed > 0 && removed != static_cast<std::uintmax_t>(-1);
}

// Changes are refused meanwhile, and a slcd that is killed comes up on it.
bool Storm::FillDisk(const Blow& blow) {
  if (disk_ == nullptr || !later_.IsDone()) return false;
  const Millis from = BootNow();
  disk_->TakeAllBlocks();
  const Millis to = BootNow() + blow.span;
  later_.Do(to, [this] { disk_->GiveBack(); });
  troubles_.Add(SystemText(ENOSPC), from, to);
  return true;
}

// To the next version and back, by turns. It may be killed half-way, or meet another.
bool Storm::Upgrade(const Blow& /*blow*/) {
  InstallAll(++upgrades_ % 2 == 1 ? "next/" : "");
  BeginCommand("upgrade", {"upgrade"});
  return true;
}

bool Storm::Change(const Blow& blow) {
  (blow.choice % 2 == 0 ? one_ : other_).Begin();
  return true;
}

// The second worker of "company" breaks the protocol of its channel.
bool Storm::Misbehave(const Blow& blow) {
  const auto view = world_.TryView("company");
  if (!view || std::none_of(view->processes.begin(), view->processes.end(), [](const auto& each) {
        return each.slot == 2 && each.state == "ready";
      })) {
    return false;
  }
  static const Words kMisdeeds{"garbage", "cut", "deep", "leaves", "disconnects", "listens"};
  WriteText(order_ + ".new", kMisdeeds[blow.choice % kMisdeeds.size()]);
  std::filesystem::rename(order_ + ".new", order_);
  later_.Do(BootNow() + blow.span, [order = order_] {
    std::error_code ignored;
    std::filesystem::remove(order, ignored);
  });
  return true;
}

bool Storm::JumpClock(const Blow& blow) {
  constexpr std::int64_t kHour = 3'600;
  constexpr std::int64_t kYear = 365 * 24 * kHour;
  static const std::vector<std::int64_t> kJumps{0, kHour, -kHour, 2 * kYear, -10 * kYear, 0};
  const std::int64_t jump = kJumps[blow.choice % kJumps.size()];
  clock_.Set(jump);
  return std::exchange(clock_offset_, jump) != jump;
}

}  // namespace slc::test
