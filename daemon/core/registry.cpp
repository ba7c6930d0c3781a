#include "daemon/core/registry.h"

#include <algorithm>

#include "common/base/cron.h"
#include "common/base/text.h"
#include "common/model/listen_address.h"
#include "daemon/core/running_spec.h"
#include "daemon/core/watch_rules.h"

namespace slc {
namespace {

constexpr Millis kLongestTimeout = 24LL * 3600 * 1000;

// Options of `slc start` that stay as they are unless given again. Everything else (the script, its
// arguments, the folder) comes from the app folder each time.
void KeepWhatWasNotGiven(const ServiceSpec& before, const std::vector<std::string>& given,
                         ServiceSpec& after) {
  const auto is_given = [&](const char* name) {
    return std::find(given.begin(), given.end(), name) != given.end();
  };
  if (!is_given("port")) after.port = before.port;
  if (!is_given("cwd")) after.cwd = before.cwd;
  if (!is_given("node")) after.node = before.node;
  if (!is_given("arguments") && before.own_arguments) {
    after.arguments = before.arguments;
    after.own_arguments = true;
  }
  if (!is_given("node-args")) after.node_arguments = before.node_arguments;
  if (!is_given("interpreter")) after.interpreter = before.interpreter;
  if (!is_given("listen")) after.listen = before.listen;
  if (!is_given("balance")) after.balance = before.balance;
  if (!is_given("ready") && !is_given("wait-ready")) after.readiness = before.readiness;
  if (!is_given("ready-timeout")) after.ready_timeout = before.ready_timeout;
  if (!is_given("drain-timeout")) after.drain_timeout = before.drain_timeout;
  if (!is_given("drain-linger")) after.drain_linger = before.drain_linger;
  if (!is_given("stop-signal")) after.stop_signal = before.stop_signal;
  if (!is_given("stop-timeout")) after.stop_timeout = before.stop_timeout;
  if (!is_given("restart")) after.restart = before.restart;
  if (!is_given("min-uptime")) after.min_uptime = before.min_uptime;
  if (!is_given("max-restarts")) after.max_restarts = before.max_restarts;
  if (!is_given("max-memory")) after.limits.max_memory = before.limits.max_memory;
  if (!is_given("hang-timeout")) after.limits.hang_timeout = before.limits.hang_timeout;
  if (!is_given("nofile")) after.limits.open_files = before.limits.open_files;
  if (!is_given("nice")) after.limits.nice = before.limits.nice;
  if (!is_given("cpus")) after.limits.cpu_millis = before.limits.cpu_millis;
  if (!is_given("log-rate")) after.limits.log_rate = before.limits.log_rate;
  if (!is_given("spare")) after.spare = before.spare;
  if (!is_given("compile-cache")) after.compile_cache = before.compile_cache;
  if (!is_given("restart-at")) after.restart_at = before.restart_at;
  if (!is_given("watch") && !is_given("watch-only")) {
    after.watch = before.watch;
    after.watch_only = before.watch_only;
    after.watch_restart = before.watch_restart;
  }
  if (!is_given("keep")) after.releases.keep = before.releases.keep;
  if (!is_given("canary-time")) after.releases.canary_time = before.releases.canary_time;
  if (!is_given("health")) after.releases.health = before.releases.health;
  if (!is_given("npm")) after.releases.npm = before.releases.npm;
  if (!is_given("no-agent")) after.agent = before.agent;
  if (!is_given("run-as")) after.run_as = before.run_as;
  if (!is_given("log-format")) after.log_format = before.log_format;
  if (!is_given("log-size")) after.log_file_bytes = before.log_file_bytes;
  if (!is_given("log-files")) after.log_files = before.log_files;
}

// Variables that were set before stay, unless they are set anew.
void KeepVariables(const ServiceSpec& before, ServiceSpec& after) {
  Environment merged = before.environment;
  for (const auto& [name, value] : after.environment) merged[name] = value;
  after.environment = std::move(merged);
  // A shell without NODE_ENV (cron, sudo) does not turn a production service into another one.
  const auto mode = before.caller_environment.find("NODE_ENV");
  if (mode != before.caller_environment.end()) after.caller_environment.insert(*mode);
}

// --port and a PORT variable would contradict each other; the newer one stays.
void SettlePort(ServiceSpec& spec, bool port_given) {
  if (port_given) spec.environment.erase("PORT");
  if (spec.environment.count("PORT") > 0) spec.port.reset();
}

// A variable of --env or env-set.
Status CheckSetting(const std::string& name, const std::string& value) {
  if (Status good = CheckVariable(name, value); !good) return good;
  if (name != "PORT" || ParseInteger(value, 0, 65535)) return Ok();
  // Without the value, which may belong to another name: messages go into the journal.
  return Error{ErrorCode::kInvalid, "PORT must be a number from 0 to 65535"};
}

Status CheckDuration(const char* name, Millis value) {
  if (value >= 0 && value <= kLongestTimeout) return Ok();
  return Error{ErrorCode::kInvalid, std::string("--") + name + " must be between 0 and 24h, not " +
                                        std::to_string(value) + " ms"};
}

Status CheckSize(std::uint32_t size) {
  if (size == kSizeCpu || size <= kMostWorkers) return Ok();
  return Error{ErrorCode::kInvalid,
               "a service has at most " + std::to_string(kMostWorkers) + " workers"};
}

Proposal Changed(const Wish& before) {
  Proposal proposal;
  proposal.wish = before;
  proposal.wish.order = before.order + 1;
  proposal.changed = true;
  return proposal;
}

void NextGeneration(Proposal& proposal, RollMode mode, std::uint32_t parallel) {
  ++proposal.wish.generation;
  proposal.wish.mode = mode;
  proposal.wish.parallel = parallel;
  proposal.wish.trial = false;
  proposal.new_generation = true;
}

Error NoAppYet(const Wish& wish) {
  return Error{ErrorCode::kInvalid,
               "service '" + wish.spec.name +
                   "' has no app yet; in the app's folder run: slc start --name " + wish.spec.name};
}

// "service 'web' (id 1)"
std::string Called(const Quarantined& bad) {
  const std::string id = std::to_string(bad.id);
  return bad.name.empty() ? "service " + id : "service '" + bad.name + "' (id " + id + ")";
}

// What the operator has to give again.
std::string LossOf(const Quarantined& bad, const ServiceSpec& now) {
  if (!bad.runs) return "; what options and env-set had set before is lost, give it again";
  std::string text =
      "; options are as its workers have them, but --restart-at and --watch are lost, give them "
      "again";
  const std::vector<std::string> missing = VariablesMissing(*bad.runs, now);
  if (missing.empty()) return text;
  return text + "; its workers have had variables that are lost unless .env has them: " +
         Join(missing, ", ") + " (slc ctl env-set " + now.name + " NAME=VALUE ...)";
}

}  // namespace

const Wish* Registry::FindSound(const std::string& service) const {
  if (const auto number = ParseInteger(service, 1, 0xffffffffLL)) {
    if (const Wish* wish = Get(static_cast<ServiceId>(*number))) return wish;
  }
  for (const auto& [id, wish] : wishes_) {
    if (wish.spec.name == service) return &wish;
  }
  return nullptr;
}

Result<ServiceId> Registry::Find(const std::string& service) const {
  if (const Wish* wish = FindSound(service)) return wish->id;
  if (const Quarantined* bad = FindQuarantined(service)) {
    return Error{ErrorCode::kConflict,
                 Called(*bad) + " is quarantined: " + DescribeDamage(*bad) +
                     "; it can only be stopped, removed, or repaired by `slc start` in its folder"};
  }
  std::vector<std::string> names;
  for (const auto& [id, wish] : wishes_) names.push_back(wish.spec.name);
  for (const auto& [id, bad] : quarantined_) names.push_back(bad.name);
  std::string message = "there is no service '" + Printable(service) + "'";
  const std::string near = DidYouMean(service, names);
  if (!near.empty()) {
    message += "; did you mean '" + near + "'?";
  } else if (!names.empty()) {
    message += "; `slc ctl ls` lists those there are";
  }
  return Error{ErrorCode::kNotFound, message};
}

const Wish* Registry::Get(ServiceId id) const {
  const auto found = wishes_.find(id);
  return found == wishes_.end() ? nullptr : &found->second;
}

void Registry::Commit(const Wish& wish) {
  wishes_[wish.id] = wish;
  quarantined_.erase(wish.id);
  if (wish.damage) {
    fallbacks_.try_emplace(wish.id, Fallback{wish.id, *wish.damage, false, {}});
  } else {
    fallbacks_.erase(wish.id);
  }
  Reserve(wish.id);
}

void Registry::Quarantine(const Quarantined& bad) {
  quarantined_[bad.id] = bad;
  Reserve(bad.id);
}

const Quarantined* Registry::GetQuarantined(ServiceId id) const {
  const auto found = quarantined_.find(id);
  return found == quarantined_.end() ? nullptr : &found->second;
}

const Fallback* Registry::GetFallback(ServiceId id) const {
  const auto found = fallbacks_.find(id);
  return found == fallbacks_.end() ? nullptr : &found->second;
}

const Quarantined* Registry::FindQuarantined(const std::string& service) const {
  if (FindSound(service) != nullptr) return nullptr;
  if (const auto number = ParseInteger(service, 1, 0xffffffffLL)) {
    if (const auto* bad = GetQuarantined(static_cast<ServiceId>(*number))) return bad;
  }
  for (const auto& [id, bad] : quarantined_) {
    if (!bad.name.empty() && bad.name == service) return &bad;
  }
  return nullptr;
}

Status Registry::CheckSpec(const ServiceSpec& spec) const {
  if (Status name = CheckServiceName(spec.name); !name) return name;
  if (spec.directory.empty() || spec.directory[0] != '/') {
    return Error{ErrorCode::kInvalid, "the app's folder must be an absolute path"};
  }
  if (spec.script.empty()) return Error{ErrorCode::kInvalid, "there is no script to run"};
  if (!spec.run_as.empty() && !root_) {
    return Error{ErrorCode::kPermission,
                 "--run-as needs a daemon that runs as root: use sudo slc start ..."};
  }
  if (!SignalFromName(spec.stop_signal)) {
    return Error{ErrorCode::kInvalid,
                 "--stop-signal: there is no signal '" + Printable(spec.stop_signal) + "'"};
  }
  for (const auto& [name, value] : spec.environment) {
    if (Status good = CheckSetting(name, value); !good) return good;
  }
  if (Status good = CheckListenAddresses(spec.listen); !good) return good;
  if (!spec.restart_at.empty()) {
    const auto schedule = CronSchedule::Parse(spec.restart_at);
    if (!schedule) return schedule.error().During("--restart-at");
  }
  for (const std::string& pattern : spec.watch_only) {
    if (!WatchRules::IsPattern(pattern)) {
      return Error{ErrorCode::kInvalid, "--watch-only: '" + Printable(pattern) +
                                            "' is no pattern; write for example '*.js', 'src/' or "
                                            "'views/**/*.html'"};
    }
  }
  if (!spec.releases.health.empty()) {
    if (Status good = CheckHealthPath(spec.releases.health); !good) {
      return good.error().During("--health");
    }
  }
  if (spec.ready_timeout < 100) {
    return Error{ErrorCode::kInvalid, "--ready-timeout must be at least 100ms"};
  }
  for (const auto& [name, value] : {std::pair{"ready-timeout", spec.ready_timeout},
                                    {"drain-timeout", spec.drain_timeout},
                                    {"drain-linger", spec.drain_linger},
                                    {"stop-timeout", spec.stop_timeout},
                                    {"min-uptime", spec.min_uptime}}) {
    if (Status good = CheckDuration(name, value); !good) return good;
  }
  return Ok();
}

Result<Proposal> Registry::ProposeStart(const StartWish& start) const {
  if (Status good = CheckSpec(start.spec); !good) return good.error();
  if (Status good = CheckSize(start.size.value_or(0)); !good) return good.error();
  const bool name_given =
      std::find(start.given.begin(), start.given.end(), "name") != start.given.end();
  const Wish* same_name = nullptr;
  const Wish* same_folder = nullptr;
  for (const auto& [id, wish] : wishes_) {
    if (wish.spec.name == start.spec.name) same_name = &wish;
    if (wish.spec.directory == start.spec.directory && wish.spec.script == start.spec.script) {
      same_folder = &wish;
    }
  }
  const bool elsewhere = same_name != nullptr && !same_name->spec.directory.empty() &&
                         same_name->spec.directory != start.spec.directory;
  // Without --name the folder says which service is meant; that another one happens to be called
  // like this app's package does not matter.
  const bool by_folder = same_folder != nullptr && !name_given && (elsewhere || !same_name);
  if (same_name != nullptr && !by_folder) {
    if (elsewhere && !start.replace) {
      return Error{ErrorCode::kConflict,
                   "service '" + start.spec.name + "' already runs from " +
                       same_name->spec.directory + ", not from " + start.spec.directory +
                       "; choose another --name, or --replace to move it here"};
    }
    return ProposeUpdate(*same_name, start);
  }
  // Started under a name of its own before, and now without one: that service is meant.
  if (by_folder) {
    StartWish renamed = start;
    renamed.spec.name = same_folder->spec.name;
    return ProposeUpdate(*same_folder, renamed);
  }
  for (const auto& [id, bad] : quarantined_) {
    const bool same_app = !name_given && IsAppOf(bad, start.spec);
    if (same_app || bad.name == start.spec.name) return ProposeRepair(bad, start);
  }
  return ProposeNew(start);
}

Result<Proposal> Registry::ProposeRepair(const Quarantined& bad, const StartWish& start) const {
  if (bad.removing) {
    return Error{ErrorCode::kConflict, Called(bad) + " is being removed; try again in a moment"};
  }
  if (!start.replace && !bad.directory.empty() && bad.directory != start.spec.directory) {
    return Error{ErrorCode::kConflict, Called(bad) + " is quarantined (" + DescribeDamage(bad) +
                                           ") and was started from " + bad.directory +
                                           ", not from " + start.spec.directory +
                                           "; choose another --name, or --replace to move it here"};
  }
  Wish wish;
  wish.id = bad.id;
  wish.spec = start.spec;
  if (!bad.name.empty()) wish.spec.name = bad.name;
  wish.size = RunsOnNode(start.spec) ? kSizeCpu : 1;
  if (bad.obeyed) {
    wish.size = bad.obeyed->size;
    wish.generation = bad.obeyed->generation;
    wish.order = bad.obeyed->order;
  }
  if (start.size) wish.size = *start.size;
  if (bad.runs) {
    KeepWhatWasNotGiven(SpecOfRunning(*bad.runs, bad.id, wish.spec), start.given, wish.spec);
  }
  Proposal proposal = Changed(wish);
  SettlePort(proposal.wish.spec, start.spec.port.has_value());
  proposal.wish.run = true;
  const bool runs = bad.obeyed && bad.obeyed->run;
  NextGeneration(proposal, runs ? RollMode::kRolling : RollMode::kRestart, 1);
  proposal.notes.push_back("repaired: " + DescribeDamage(bad) + LossOf(bad, proposal.wish.spec));
  return proposal;
}

Result<Proposal> Registry::ProposeNew(const StartWish& start) const {
  Wish wish;
  wish.id = last_id_ + 1;
  wish.spec = start.spec;
  // Each worker of another program binds the port itself, and most programs cannot share it.
  wish.size = start.size.value_or(RunsOnNode(start.spec) ? kSizeCpu : 1);
  Proposal proposal = Changed(wish);
  SettlePort(proposal.wish.spec, start.spec.port.has_value());
  proposal.wish.run = true;
  NextGeneration(proposal, RollMode::kRestart, 1);
  for (const auto& [id, bad] : quarantined_) {
    if (!bad.name.empty()) continue;
    proposal.notes.push_back("a new service; if it is the one whose services/" +
                             std::to_string(id) + ".json is unreadable: slc ctl remove " +
                             std::to_string(id));
  }
  return proposal;
}

Result<Proposal> Registry::ProposeUpdate(const Wish& current, const StartWish& start) const {
  if (current.removing) {
    return Error{ErrorCode::kConflict,
                 "service '" + current.spec.name + "' is being removed; try again in a moment"};
  }
  ServiceSpec spec = start.spec;
  const bool port_given =
      std::find(start.given.begin(), start.given.end(), "port") != start.given.end();
  if (!current.spec.directory.empty()) KeepWhatWasNotGiven(current.spec, start.given, spec);
  KeepVariables(current.spec, spec);
  SettlePort(spec, port_given);
  Proposal proposal = Changed(current);
  proposal.notes = DescribeChanges(current.spec, spec);
  const bool spec_changed = spec != current.spec;
  proposal.wish.spec = spec;
  if (start.size && *start.size != current.size) {
    proposal.notes.push_back("size " + FormatSize(current.size) + " -> " + FormatSize(*start.size));
    proposal.wish.size = *start.size;
  }
  proposal.wish.run = true;
  if (!current.run) {
    NextGeneration(proposal, RollMode::kRestart, 1);
  } else if (spec_changed || GetFallback(current.id) != nullptr) {
    // What runs may be of a record that is lost: that nothing differs from this one says little.
    NextGeneration(proposal, RollMode::kRolling, 1);
  } else if (proposal.wish.size == current.size) {
    proposal.wish = current;
    proposal.changed = false;
    proposal.notes.push_back("'" + current.spec.name +
                             "' runs already and nothing has changed; to load new code: slc ctl "
                             "soft-restart " +
                             current.spec.name);
  }
  return proposal;
}

Result<Proposal> Registry::ProposeCreate(const std::string& name, std::uint32_t size) const {
  if (Status good = CheckServiceName(name); !good) return good.error();
  if (Status good = CheckSize(size); !good) return good.error();
  for (const auto& [id, wish] : wishes_) {
    if (wish.spec.name == name) {
      return Error{ErrorCode::kConflict,
                   "there is a service '" + name + "' already (id " + std::to_string(id) + ")"};
    }
  }
  if (const Quarantined* bad = FindQuarantined(name)) {
    return Error{ErrorCode::kConflict, Called(*bad) + " is quarantined: " + DescribeDamage(*bad)};
  }
  Wish wish;
  wish.id = last_id_ + 1;
  wish.spec.name = name;
  wish.size = size;
  return Changed(wish);
}

Result<Proposal> Registry::ProposeRun(ServiceId id) const {
  const Wish& wish = wishes_.at(id);
  if (wish.spec.directory.empty()) return NoAppYet(wish);
  if (wish.removing) {
    return Error{ErrorCode::kConflict, "service '" + wish.spec.name + "' is being removed"};
  }
  Proposal proposal = Changed(wish);
  if (wish.run) {
    proposal.wish = wish;
    proposal.changed = false;
    proposal.notes.push_back("'" + wish.spec.name + "' runs already");
    return proposal;
  }
  proposal.wish.run = true;
  NextGeneration(proposal, RollMode::kRestart, 1);
  return proposal;
}

Result<Proposal> Registry::ProposeStop(ServiceId id, bool soft) const {
  const Wish& wish = wishes_.at(id);
  Proposal proposal = Changed(wish);
  proposal.wish.run = false;
  proposal.wish.trial = false;
  proposal.wish.soft_stop = soft;
  // To stop what is stopped confirms what was fallen back to.
  if (!wish.run && (wish.soft_stop == soft || soft) && GetFallback(id) == nullptr) {
    proposal.wish = wish;
    proposal.changed = false;
  }
  return proposal;
}

Result<Proposal> Registry::ProposeRestart(ServiceId id, RollMode mode,
                                          std::uint32_t parallel) const {
  const Wish& wish = wishes_.at(id);
  if (wish.spec.directory.empty()) return NoAppYet(wish);
  if (wish.removing) {
    return Error{ErrorCode::kConflict, "service '" + wish.spec.name + "' is being removed"};
  }
  Proposal proposal = Changed(wish);
  proposal.wish.run = true;
  // A stopped service is started, as the original does: there is nothing to roll.
  NextGeneration(proposal, wish.run ? mode : RollMode::kRestart, parallel);
  return proposal;
}

Result<Proposal> Registry::ProposeSize(ServiceId id, std::uint32_t size) const {
  const Wish& wish = wishes_.at(id);
  if (Status good = CheckSize(size); !good) return good.error();
  Proposal proposal = Changed(wish);
  if (wish.size == size) {
    proposal.wish = wish;
    proposal.changed = false;
    return proposal;
  }
  proposal.wish.size = size;
  return proposal;
}

Result<Proposal> Registry::ProposeEnvironment(ServiceId id, const Environment& set,
                                              const std::vector<std::string>& unset,
                                              bool restart) const {
  const Wish& wish = wishes_.at(id);
  Proposal proposal = Changed(wish);
  ServiceSpec& spec = proposal.wish.spec;
  for (const auto& [name, value] : set) {
    if (Status good = CheckSetting(name, value); !good) return good.error();
    spec.environment[name] = value;
  }
  for (const std::string& name : unset) spec.environment.erase(name);
  SettlePort(spec, false);
  if (spec == wish.spec) {
    proposal.wish = wish;
    proposal.changed = false;
    return proposal;
  }
  if (restart && wish.run) NextGeneration(proposal, RollMode::kRolling, 1);
  return proposal;
}

Result<Proposal> Registry::ProposeRelease(ServiceId id, const ServiceSpec& spec, bool run,
                                          bool trial) const {
  const Wish& wish = wishes_.at(id);
  if (wish.removing) {
    return Error{ErrorCode::kConflict, "service '" + wish.spec.name + "' is being removed"};
  }
  Proposal proposal = Changed(wish);
  proposal.wish.spec = spec;
  proposal.wish.run = run;
  proposal.wish.trial = false;
  if (!run) return proposal;
  NextGeneration(proposal, wish.run ? RollMode::kRolling : RollMode::kRestart, 1);
  proposal.wish.trial = trial;
  return proposal;
}

Result<Proposal> Registry::ProposeEndOfTrial(ServiceId id) const {
  const Wish& wish = wishes_.at(id);
  Proposal proposal = Changed(wish);
  proposal.wish.trial = false;
  if (!wish.trial) {
    proposal.wish = wish;
    proposal.changed = false;
  }
  return proposal;
}

Result<Proposal> Registry::ProposeRemove(ServiceId id) const {
  Proposal proposal = Changed(wishes_.at(id));
  proposal.wish.run = false;
  proposal.wish.soft_stop = false;
  proposal.wish.trial = false;
  proposal.wish.removing = true;
  return proposal;
}

}  // namespace slc
