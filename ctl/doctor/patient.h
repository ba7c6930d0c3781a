// Patient: what the doctor looks at: one home, what is recorded in it, and what its slcd tells, if
// one answers. Taken once, without changing anything.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/home.h"
#include "common/base/process.h"
#include "common/model/service.h"
#include "common/model/view.h"
#include "ctl/doctor/supervisors.h"

namespace slc::ctl {

// What the journal holds of the last hour and of this boot.
struct RecentPast {
  std::string trouble;  // why it cannot be read; empty: it could, or there is none
  std::map<ServiceId, std::uint64_t> ends;  // of workers that nobody had asked for, or given up
  bool shut_down = false;  // the last that was heard of slcd is that it stopped all services
};

struct Patient {
  HomePaths paths;
  bool exists = false;  // the home
  // Why we may not look into it: then of most of what follows nothing can be told. Empty: we may.
  std::string closed;
  // services/ID.json as they are; names of those that cannot be read.
  std::vector<Wish> wishes;
  std::vector<std::string> unreadable;
  // What slcd says. It may run and not answer: see `holder`.
  std::optional<DaemonInfo> daemon;
  std::vector<ServiceView> views;
  Millis asked = 0;  // when slcd was asked for them, on the boot clock
  // Of the lock, if somebody holds it; pid 0: its file does not tell who.
  std::optional<ProcessIdentity> holder;
  std::vector<Supervisor> supervisors;  // that live
  RecentPast past;
  std::string cookie;  // with which the cookies of this home's processes begin: "N-M-"

  // The view of a service; null if slcd does not answer or does not know it.
  const ServiceView* ViewOf(const std::string& name) const;
  // The master that lives for a service, known to slcd or not; null if there is none.
  const Supervisor* MasterOf(ServiceId id) const;
  // The user the home belongs to, as advice may name it.
  std::string Owner() const;
};

// Workers are to be up.
bool IsToRun(const Wish& wish);

Result<Patient> Examine();

// Of a process, "" if it cannot be seen or there is none.
std::string VariableOf(pid_t pid, const std::string& name);
Environment EnvironmentOf(pid_t pid);

}  // namespace slc::ctl
