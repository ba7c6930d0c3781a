#include "tests/faults/watcher.h"

#include <algorithm>
#include <set>

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
constexpr std::size_t kMostDescriptors = 128;
// Idle they need 2 and 1 MB; what a storm of takeovers leaves in an allocator is no leak.
constexpr std::uint64_t kMostBytes = 24U << 20;

bool Lives(const ProcessView& process) {
  return process.state == "starting" || process.state == "ready";
}

}  // namespace

Watcher::Watcher(World& world) : world_(world), thread_([this] { Run(); }) {}

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
  const auto told = Ask(GetInfo{});
  const auto* info = told ? std::get_if<DaemonInfo>(&told->data) : nullptr;
  if (info == nullptr) return;
  CheckEpoch(*info);
  const auto listed = Ask(ListServices{});
  const auto* views = listed ? std::get_if<std::vector<ServiceView>>(&listed->data) : nullptr;
  if (views == nullptr) return;
  ++answers_;
  for (const ServiceView& view : *views) CheckSlots(view);
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
  const auto* reply = std::get_if<Reply>(&(*message)->body);
  if (reply == nullptr) return std::nullopt;
  return *reply;
}

void Watcher::CheckSlots(const ServiceView& view) {
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
  std::size_t daemons = 0;
  for (const ProcessIdentity& each : world_.Supervisors()) {
    const std::string folder = "/proc/" + std::to_string(each.pid);
    const std::string name(Trim(ReadText(folder + "/comm")));
    const auto usage = ReadUsage(each.pid);
    if (!usage || !IsAlive(each)) continue;
    if (name == "slcd") ++daemons;
    const std::string who = name + " (pid " + std::to_string(each.pid) + ")";
    if (CountOpenFiles(each.pid) > kMostDescriptors) {
      Complain(who + " has more than " + std::to_string(kMostDescriptors) + " descriptors");
    }
    if (usage->resident > kMostBytes) {
      Complain(who + " has more than " + std::to_string(kMostBytes >> 20) + " MB");
    }
  }
  if (daemons <= 1) two_daemons_since_ = 0;
  if (daemons > 1 && two_daemons_since_ == 0) two_daemons_since_ = BootNow();
  if (two_daemons_since_ != 0 && BootNow() - two_daemons_since_ > kSecondDaemon) {
    Complain("more than one slcd for too long");
  }
}

void Watcher::CheckEpoch(const DaemonInfo& info) {
  if (info.epoch < epoch_) Complain("the epoch of slcd has gone back");
  epoch_ = std::max<std::uint64_t>(epoch_, info.epoch);
}

void Watcher::Complain(const std::string& what) { ++broken_[what]; }

}  // namespace slc::test
