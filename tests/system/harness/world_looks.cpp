#include <poll.h>

#include <algorithm>
#include <variant>

#include <doctest/doctest.h>

#include "common/base/ids.h"
#include "common/wire/client.h"
#include "tests/system/harness/home_processes.h"
#include "tests/system/harness/world.h"

namespace slc::test {

std::vector<ServiceView> World::Views() {
  auto client = ControlClient::Connect(socket());
  if (!client) return {};
  Request request;
  request.id = NewRequestId();
  request.body = ListServices{};
  if (!client->Send(request)) return {};
  constexpr Millis kPatience = 10'000;
  auto message = client->Receive(kPatience);
  if (!message || !*message) return {};
  const auto* reply = std::get_if<Reply>(&(*message)->body);
  if (reply == nullptr) return {};
  const auto* views = std::get_if<std::vector<ServiceView>>(&reply->data);
  return views != nullptr ? *views : std::vector<ServiceView>{};
}

std::optional<ServiceView> World::TryView(const std::string& service) {
  for (ServiceView& view : Views()) {
    if (view.name == service || std::to_string(view.id) == service) return std::move(view);
  }
  return std::nullopt;
}

ServiceView World::View(const std::string& service) {
  auto view = TryView(service);
  if (!view) FAIL("there is no service ", service);
  return *view;
}

std::vector<int> World::ReadyPids(const std::string& service) {
  std::vector<int> pids;
  const auto view = TryView(service);
  if (!view) return pids;
  for (const ProcessView& process : view->processes) {
    if (process.worker != 0 && process.state == "ready") pids.push_back(process.pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

void World::WaitForSuccessor(const std::string& service, int pid, std::size_t size) {
  WaitUntil(
      [&] {
        const auto now = ReadyPids(service);
        return now.size() == size && std::count(now.begin(), now.end(), pid) == 0;
      },
      10'000, "the successor of pid " + std::to_string(pid));
}

int World::MasterPid(const std::string& service) {
  const ServiceView view = View(service);
  for (const ProcessView& process : view.processes) {
    if (process.worker == 0) return process.pid;
  }
  FAIL("service ", service, " has no master, its state is ", view.state);
  return 0;
}

std::vector<ProcessIdentity> World::Supervisors() const { return FindSupervisors(home_); }
std::vector<ProcessIdentity> World::Workers() const { return FindWorkers(home_); }

std::optional<ProcessIdentity> World::Daemon() const {
  for (const ProcessIdentity& each : Supervisors()) {
    const std::string program = LinkTarget("/proc/" + std::to_string(each.pid) + "/exe");
    if (Contains(program, "/slcd") && IsAlive(each)) return each;
  }
  return std::nullopt;
}

ServiceView World::WaitForState(const std::string& service, const std::string& state,
                                Millis deadline) {
  std::optional<ServiceView> view;
  std::string last = "(no such service)";
  const Millis start = BootNow();
  while (true) {
    view = TryView(service);
    if (view && view->state == state) return *view;
    if (view) last = view->state + " (" + view->reason + ")";
    if (BootNow() - start > deadline) {
      FAIL("waited ", deadline, " ms in vain for service ", service, " to be ", state, ", it is ",
           last);
    }
    ::poll(nullptr, 0, 10);
  }
}

std::string World::DaemonLog() const {
  std::string text;
  for (const char* name : {"slcd.3.log", "slcd.2.log", "slcd.1.log", "slcd.log", "slcd.out"}) {
    text += ReadText(home_ + "/logs/" + name);
  }
  return text;
}

void World::KillDaemon() {
  const auto daemon = Daemon();
  if (!daemon) FAIL("no slcd runs");
  Kill(*daemon);
  WaitUntil([&] { return !IsAlive(*daemon); }, 10'000, "slcd to be gone after SIGKILL");
}

void World::KillMaster(const std::string& service) {
  const auto master = IdentifyProcess(MasterPid(service));
  if (!master) FAIL("the master of ", service, " is gone already");
  ExpectInLog("has taken over");
  ExpectInLog("is gone or does not answer; replacing it");
  Kill(*master);
  WaitUntil([&] { return !IsAlive(*master); }, 10'000, "the master to be gone after SIGKILL");
}

}  // namespace slc::test
