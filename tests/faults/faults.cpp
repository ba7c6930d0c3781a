#include "tests/faults/faults.h"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "common/base/text.h"

namespace slc::test {

int Blows(int full) { return Long() ? full : std::max(1, full / 10); }

FourServices::FourServices(World& world, const Words& options) : world_(world) {
  const World::Certificate certificate = world.MakeCertificate();
  // Twice the longest pause of a client of lanes().
  Words common{"--size", "2", "--drain-linger", "400ms"};
  common.insert(common.end(), options.begin(), options.end());
  const auto start = [&](const std::string& app, const std::string& name, const Words& more) {
    Words all = common;
    all.insert(all.end(), {"--name", name});
    all.insert(all.end(), more.begin(), more.end());
    apps_.push_back(world.StartApp(app, all));
  };
  start("express4", "web", {});
  start("express4", "tls",
        {"--env", "APP_HTTPS=1", "--env", "APP_KEY=" + certificate.key, "--env",
         "APP_CERT=" + certificate.certificate});
  start("plain/server.js", "plain", {});
  start("py/app.py", "snake", {"--interpreter", "python3", "--env", "APP_REUSE_PORT=1"});
}

// Some 30 % of two cores: faults are measured, not saturation.
Words FourServices::lanes() const {
  Words lanes;
  for (const App& app : apps_) {
    const std::string url =
        (app.name == "tls" ? "https" : "http") + ("://127.0.0.1:" + std::to_string(app.port) + "/");
    lanes.push_back("name=" + app.name + "-keep,connections=4,think=0-200,url=" + url);
    lanes.push_back("name=" + app.name + "-close,mode=close,connections=2,rate=20,url=" + url);
  }
  return lanes;
}

std::map<std::string, std::vector<int>> FourServices::Pids() const {
  std::map<std::string, std::vector<int>> pids;
  for (const App& app : apps_) pids[app.name] = world_.ReadyPids(app.name);
  return pids;
}

std::map<std::string, int> FourServices::Masters() const {
  std::map<std::string, int> masters;
  for (const App& app : apps_) masters[app.name] = world_.MasterPid(app.name);
  return masters;
}

void FourServices::CheckWhole() const {
  for (const App& app : apps_) {
    INFO("service ", app.name);
    const ServiceView view = world_.WaitForState(app.name, "running");
    std::set<SlotNumber> slots;
    for (const ProcessView& process : view.processes) {
      if (process.worker != 0) slots.insert(process.slot);
    }
    CHECK(world_.ReadyPids(app.name).size() == 2);
    CHECK(slots == std::set<SlotNumber>{1, 2});
  }
  // As many are found by their cookies as slcd shows, children of others left aside. (Counted: in a
  // Machine the pids of slcd are not ours.)
  constexpr Millis kOrphansLive = 5'000;
  WaitUntil(
      [&] {
        std::size_t shown = 0;
        for (const ServiceView& view : world_.Views()) {
          for (const ProcessView& process : view.processes) shown += process.worker != 0 ? 1 : 0;
        }
        std::set<pid_t> marked;
        for (const ProcessIdentity& each : world_.Workers()) marked.insert(each.pid);
        std::size_t found = 0;
        for (const pid_t pid : marked) {
          const auto usage = ReadUsage(pid);
          found += usage && marked.count(usage->parent) == 0 ? 1 : 0;
        }
        return found == shown;
      },
      kOrphansLive, "no process beside those that slcd shows");
}

Millis AwaitSuccessor(World& world, const std::string& service, const ProcessIdentity& old) {
  const Millis start = BootNow();
  WaitUntil(
      [&] {
        const ServiceView view = world.View(service);
        const bool other = !view.processes.empty() && view.processes[0].pid != old.pid;
        if (other) CHECK(!IsAlive(old));
        return other && view.state == "running";
      },
      30'000, "a successor of the master of " + service);
  return BootNow() - start;
}

std::vector<ProcessIdentity> Masters(World& world) {
  std::vector<ProcessIdentity> masters;
  for (const ProcessIdentity& each : world.Supervisors()) {
    const std::string name = ReadText("/proc/" + std::to_string(each.pid) + "/comm");
    if (StartsWith(name, "slc-master") && IsAlive(each)) masters.push_back(each);
  }
  return masters;
}

Millis Percentile(std::vector<Millis> values, int percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t rank = (values.size() * static_cast<std::size_t>(percent) + 99) / 100;
  return values[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace slc::test
