#include "tests/faults/watcher.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/ids.h"
#include "common/base/text.h"
#include "common/wire/client.h"
#include "tests/system/dice.h"

namespace slc::test {
namespace {

constexpr Millis kEvery = 100;
// For an answer: a look in vain is no longer than two.
constexpr Millis kPatience = 90;
// Promised are 5 s after slcd and a master have died at once; a second for two busy cores.
constexpr Millis kStrangerPatience = 6'000;
// A slcd that is to replace a silent one asks it for 10 s before.
constexpr Millis kSecondDaemon = 15'000;
// Of one that finds the lock taken: it starts and leaves, a fraction of a second on two busy cores.
// One that was to be replaced and goes on after all is asked every second.
constexpr Millis kStart = 3'000;
// From the start of a successor to the end of its predecessor: its boot, the drain, and a master
// that is stopped in between, which is replaced after 12 s.
constexpr Millis kHandOver = 20'000;
// From SIGKILL to where the system lists no environment any more.
constexpr Millis kDying = 1'000;
constexpr std::size_t kMostDescriptors = 128;
// Idle they need 2 and 1 MB; what a storm of takeovers leaves in an allocator is no leak.
constexpr std::uint64_t kMostBytes = 24U << 20;

bool Lives(const ProcessView& process) {
  return process.state == "starting" || process.state == "ready";
}

// A worker that lives, as the system tells: slcd may not know of it.
struct Slot {
  ServiceId service = 0;
  SlotNumber number = 0;
  auto operator<=>(const Slot&) const = default;
};
// When the first process of each worker began, by cookie.
using Began = std::map<std::string, Millis>;

std::string Variable(const std::string& environment, const std::string& name) {
  for (const std::string_view each : Split(environment, '\0')) {
    if (StartsWith(each, name + "=")) return std::string(each.substr(name.size() + 1));
  }
  return {};
}

std::map<Slot, Began> WorkersBySlot(const World& world) {
  static const Millis kTick = 1'000 / ::sysconf(_SC_CLK_TCK);
  std::map<Slot, Began> slots;
  for (const ProcessIdentity& each : world.Workers()) {
    const std::string environment = ReadText("/proc/" + std::to_string(each.pid) + "/environ");
    // DEVICE-INODE-SERVICE.WORKER
    const std::string cookie = Variable(environment, kCookieVariable);
    const std::string service = cookie.substr(cookie.rfind('-') + 1);
    const auto id = ParseInteger(service.substr(0, service.find('.')), 1, 1 << 30);
    const auto number = ParseInteger(Variable(environment, "SLC_SLOT"), 0, 1 << 30);
    if (!id || !number || !IsAlive(each)) continue;  // it is gone meanwhile
    const Slot slot{static_cast<ServiceId>(*id), static_cast<SlotNumber>(*number + 1)};
    const Millis began = static_cast<Millis>(each.start_time) * kTick;
    Millis& first = slots[slot].emplace(cookie, began).first->second;
    first = std::min(first, began);
  }
  return slots;
}

}  // namespace

Watcher::Watcher(World& world, std::set<std::string> never_roll)
    : world_(world), never_roll_(std::move(never_roll)), thread_([this] { Run(); }) {}

Watcher::~Watcher() { Stop(); }

std::string Watcher::Stop() {
  ends_ = true;
  if (thread_.joinable()) {
    thread_.join();
    const Millis elapsed = BootNow() - began_;
    if (looks_ < elapsed / (2 * kEvery)) {
      Complain("looked only " + std::to_string(looks_) + " times in " + std::to_string(elapsed) +
               " ms");
    }
  }
  std::string text;
  for (const auto& [what, times] : broken_) {
    text += what + " (seen " + std::to_string(times) + " times)\n";
  }
  return text;
}

void Watcher::Run() {
  while (!ends_) {
    const Millis next = BootNow() + kEvery;
    Look();
    ++looks_;
    LetPass(std::max<Millis>(0, next - BootNow()));
  }
}

void Watcher::Look() {
  CheckSupervisors();
  CheckSlots();
  const auto told = Ask(GetInfo{});
  const auto* info = told ? std::get_if<DaemonInfo>(&told->data) : nullptr;
  if (info == nullptr) return;
  CheckEpoch(*info);
  const auto listed = Ask(ListServices{});
  const auto* views = listed ? std::get_if<std::vector<ServiceView>>(&listed->data) : nullptr;
  if (views == nullptr) return;
  ++answers_;
  for (const ServiceView& view : *views) {
    names_[view.id] = view.name;
    CheckShown(view);
  }
  CheckStrangers(*views);
}

std::optional<Reply> Watcher::Ask(const RequestBody& what) {
  auto client = ControlClient::Connect(world_.socket());
  if (!client) return std::nullopt;
  Request request;
  request.id = NewRequestId();
  request.body = what;
  if (!client->Send(request)) return std::nullopt;
  auto message = client->Receive(kPatience);
  if (!message || !*message) return std::nullopt;
  auto* reply = std::get_if<Reply>(&(*message)->body);
  if (reply == nullptr) return std::nullopt;
  return std::move(*reply);
}

void Watcher::CheckSlots() {
  for (const auto& [slot, workers] : WorkersBySlot(world_)) {
    if (workers.size() == 1) continue;
    std::vector<Millis> began;
    for (const auto& [cookie, at] : workers) began.push_back(at);
    std::sort(began.begin(), began.end());
    const auto name = names_.find(slot.service);
    const bool rolls = name == names_.end() || never_roll_.count(name->second) == 0;
    const std::size_t most = rolls ? 2 : 1;
    // All that began before one did, and live, have been beside it ever since.
    const bool too_many = began.size() > most && BootNow() - began[most] > kDying;
    const bool too_long = BootNow() - began[1] > kHandOver;
    if (!too_many && !too_long) continue;
    Complain((name == names_.end() ? "a service" : "service " + name->second) + " has " +
             std::to_string(began.size()) + " processes in slot " + std::to_string(slot.number) +
             " for too long");
  }
}

void Watcher::CheckShown(const ServiceView& view) {
  bool& rolls = rolls_[view.name];
  if (view.state != "adopting") rolls = view.state == "rolling";
  std::map<SlotNumber, std::set<Generation>> generations;
  std::map<SlotNumber, std::size_t> living;
  for (const ProcessView& process : view.processes) {
    if (process.worker == 0 || !Lives(process)) continue;
    ++living[process.slot];
    generations[process.slot].insert(process.generation);
  }
  for (const auto& [slot, count] : living) {
    if (count == 1 || (rolls && count == 2 && generations[slot].size() == 2)) continue;
    Complain("service " + view.name + " has " + std::to_string(count) + " workers of " +
             std::to_string(generations[slot].size()) + " generations in slot " +
             std::to_string(slot) + ", state " + view.state);
  }
}

void Watcher::CheckStrangers(const std::vector<ServiceView>& views) {
  std::set<pid_t> known;
  for (const ServiceView& view : views) {
    for (const ProcessView& process : view.processes) known.insert(process.pid);
  }
  std::set<pid_t> present;
  for (const ProcessIdentity& each : world_.Workers()) {
    pid_t pid = each.pid;
    // A child of a worker is no stranger.
    while (pid > 1 && known.count(pid) == 0) {
      const auto usage = ReadUsage(pid);
      pid = usage ? usage->parent : 0;
    }
    if (pid <= 1 && IsAlive(each)) present.insert(each.pid);
  }
  std::erase_if(strangers_, [&](const auto& entry) { return present.count(entry.first) == 0; });
  for (const pid_t pid : present) {
    const Millis since = strangers_.emplace(pid, BootNow()).first->second;
    if (BootNow() - since < kStrangerPatience) continue;
    std::string command = ReadText("/proc/" + std::to_string(pid) + "/cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    Complain("no service knows of process " + std::to_string(pid) + " (" + command + ")");
  }
}

void Watcher::CheckSupervisors() {
  struct Master {
    ProcessIdentity identity;
    pid_t parent = 0;
  };
  std::size_t daemons = 0;
  std::size_t awake = 0;
  std::map<std::string, std::vector<Master>> masters;  // of a service, that are not stopped
  for (const ProcessIdentity& each : world_.Supervisors()) {
    const std::string folder = "/proc/" + std::to_string(each.pid);
    const std::string name(Trim(ReadText(folder + "/comm")));
    // slc-master SERVICE ..., or --self-check
    const auto command = Split(ReadText(folder + "/cmdline"), '\0');
    const auto usage = ReadUsage(each.pid);
    if (!usage || !IsAlive(each)) continue;
    const bool stopped = usage->state == 'T';
    if (name == "slcd") {
      ++daemons;
      awake += stopped ? 0 : 1;
    } else if (command.size() > 1 && !StartsWith(command[1], "--") && !stopped) {
      masters[command[1]].push_back({each, usage->parent});
    }
    const std::string who = name + " (pid " + std::to_string(each.pid) + ")";
    if (CountOpenFiles(each.pid) > kMostDescriptors) {
      Complain(who + " has more than " + std::to_string(kMostDescriptors) + " descriptors");
    }
    if (usage->resident > kMostBytes) {
      Complain(who + " has more than " + std::to_string(kMostBytes >> 20) + " MB");
    }
  }
  CheckDaemons(daemons, awake);
  for (const auto& [service, found] : masters) {
    // Looked at one after the other: the first may have died before the second began. And a child
    // that a master has made is to become a worker.
    const auto in_charge = std::count_if(found.begin(), found.end(), [&](const Master& one) {
      return IsAlive(one.identity) &&
             std::none_of(found.begin(), found.end(),
                          [&](const Master& other) { return other.identity.pid == one.parent; });
    });
    if (in_charge > 1) Complain("service " + service + " has more than one master");
  }
}

void Watcher::CheckDaemons(std::size_t present, std::size_t awake) {
  const auto lasts = [](bool more, Millis& since, Millis most) {
    if (!more) {
      since = 0;
    } else if (since == 0) {
      since = BootNow();
    }
    return more && BootNow() - since > most;
  };
  if (lasts(present > 1, two_daemons_since_, kSecondDaemon)) {
    Complain("more than one slcd for too long");
  }
  if (lasts(present > 1 && awake == present, two_awake_since_, kStart)) {
    Complain("more than one slcd, none of them stopped, for too long");
  }
}

void Watcher::CheckEpoch(const DaemonInfo& info) {
  if (info.epoch < epoch_) Complain("the epoch of slcd has gone back");
  epoch_ = std::max<std::uint64_t>(epoch_, info.epoch);
}

void Watcher::Complain(const std::string& what) { ++broken_[what]; }

}  // namespace slc::test
