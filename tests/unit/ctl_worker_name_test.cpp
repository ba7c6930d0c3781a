#include <doctest/doctest.h>

#include "common/base/text.h"
#include "ctl/inspect/worker_name.h"

namespace slc::ctl {
namespace {

ServiceView Service(ServiceId id, const std::string& name, int master,
                    const std::vector<WorkerId>& workers) {
  ServiceView view;
  view.id = id;
  view.name = name;
  view.processes.push_back({});
  view.processes.back().pid = master;
  for (const WorkerId worker : workers) {
    ProcessView process;
    process.worker = worker;
    process.pid = master + static_cast<int>(worker);
    view.processes.push_back(process);
  }
  return view;
}

const std::vector<ServiceView> kServices{Service(1, "web", 100, {1, 2}),
                                         Service(2, "my.api", 200, {1, 7}),
                                         Service(3, "web.1", 300, {4})};

// "service/worker/pid", or the code of the refusal.
std::string Found(const std::string& typed) {
  const auto found = FindWorker(kServices, typed);
  if (!found) return ErrorCodeName(found.error().code);
  return found->service_name + "/" + std::to_string(found->worker) + "/" +
         std::to_string(found->pid);
}

}  // namespace

TEST_CASE("WRK is what the status shows, or shorter") {
  CHECK(Found("1.1.102") == "web/2/102");
  CHECK(Found("102") == "web/2/102");
  CHECK(Found("1.102") == "web/2/102");
  CHECK(Found("web.2") == "web/2/102");
  CHECK(Found("web.1.2") == "web/2/102");
  CHECK(Found("7") == "my.api/7/207");
  CHECK(Found("my.api.7") == "my.api/7/207");
  CHECK(Found("my.api.1.207") == "my.api/7/207");
  CHECK(Found("2.7") == "my.api/7/207");
  CHECK(Found("web.1.4") == "web.1/4/304");
  CHECK(Found("3.1.4") == "web.1/4/304");
}

TEST_CASE("WID 0 is the supervisor") {
  CHECK(Found("1.1.0") == "web/0/100");
  CHECK(Found("web.100") == "web/0/100");
}

TEST_CASE("A pid goes before a WID, and a WID of several services is refused") {
  std::vector<ServiceView> services = kServices;
  services[1].processes[1].pid = 2;
  const auto found = FindWorker(services, "2");
  REQUIRE(found);
  CHECK(found->service == 2);
  CHECK(found->worker == 1);
  CHECK(Found("1") == "usage");
  CHECK(FindWorker(kServices, "1").error().message.find("web.1 or my.api.1") != std::string::npos);
}

TEST_CASE("What is nobody is not found") {
  for (const char* typed : {"99", "web", "web.", ".1", "1.1.99", "1.2.102", "nobody.1", "-1",
                            "1.1.1.102", "99999999999999", "web.1.x"}) {
    CHECK_MESSAGE(Found(typed) == "not_found", typed);
  }
}

}  // namespace slc::ctl
