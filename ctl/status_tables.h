// The tables of `slc ctl status` and `slc ctl ls`: columns and spacing are those of the original,
// which people's scripts cut apart. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/model/view.h"

namespace slc::ctl {

// What a process uses right now, read by slc itself.
struct Usage {
  double cpu_percent = 0;      // of one CPU
  std::uint64_t resident = 0;  // bytes
};
using UsageByPid = std::map<int, Usage>;

// One block per service. With `wide`, more columns and the slots that have no process.
std::string StatusText(const std::vector<ServiceView>& services, bool wide,
                       const UsageByPid& usage);

// With `wide`, state, workers and addresses as well.
std::string ListText(const std::vector<ServiceView>& services, bool wide = false);

// The environment table below a heading; `empty` stands there when there is nothing to show.
std::string EnvironmentText(const Environment& environment, const std::string& empty);

// What is wrong with the log of a service, for people; empty when all is well, or was for an hour.
std::string LogRemark(const ServiceView& service);
// When it is soft-restarted next by --restart-at; empty when it is not.
std::string ScheduleRemark(const ServiceView& service);
// What to do about ServiceView::damage.
std::string DamageCure(const std::string& service);

// How a service is, for people: "backoff, next try in 3.0 s: exit code 1". Empty when all is well.
std::string StateRemark(const ServiceView& service);

// Of a worker that is stuck, see ProcessView: "has not answered for 12 s"; else empty.
std::string StuckRemark(const ProcessView& process);

}  // namespace slc::ctl
