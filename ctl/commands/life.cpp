// slc ctl start, stop, soft-stop, restart, soft-restart, cluster-restart: whether a service runs,
// and which generation.
#include "common/model/service.h"
#include "ctl/commands/change.h"
#include "ctl/commands/commands.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

Plan PlanStart(const Surroundings& around) {
  Verb<StartServiceOptions> verb(around);
  verb.AddNoWait();
  return std::move(verb).Make(TakeService<StartServiceOptions>);
}

template <bool soft>
Plan PlanStop(const Surroundings& around) {
  Verb<StopOptions> verb(around);
  verb.value().soft = soft;
  verb.AddNoWait();
  return std::move(verb).Make(TakeService<StopOptions>);
}

Plan PlanRestart(const Surroundings& around) {
  Verb<RestartOptions> verb(around);
  verb.AddNoWait();
  return std::move(verb).Make(TakeService<RestartOptions>);
}

Plan PlanSoftRestart(const Surroundings& around) {
  Verb<RestartOptions> verb(around);
  RestartOptions& restart = verb.value();
  restart.rolling = true;
  verb.options().Value("--parallel", "N", "Workers replaced at a time (1).",
                       [&restart](const std::string& text) -> Status {
                         const auto number =
                             ToNumber(text, 1, kMostWorkers, "a number from 1 to 1024");
                         if (!number) return number.error();
                         restart.parallel = static_cast<std::uint32_t>(*number);
                         return Ok();
                       });
  verb.AddNoWait();
  return std::move(verb).Make(TakeService<RestartOptions>);
}

}  // namespace

constinit const CommandInfo kStartServiceCommand{
    .name = "start",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Start a stopped service.",
    .plan = PlanStart,
};

constinit const CommandInfo kStopCommand{
    .name = "stop",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Stop a service at once.",
    .details =
        "Its workers get their stop signal (SIGTERM) and 5 s, then their process trees are "
        "killed.\n"
        "A stopped service stays stopped, whatever restarts.\n",
    .plan = PlanStop<false>,
};

constinit const CommandInfo kSoftStopCommand{
    .name = "soft-stop",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Let a service finish its connections, then stop it.",
    .plan = PlanStop<true>,
};

constinit const CommandInfo kRestartCommand{
    .name = "restart",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Stop a service and start it again.",
    .plan = PlanRestart,
};

constinit const CommandInfo kSoftRestartCommand{
    .name = "soft-restart",
    .elsewhere = "reload",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Replace the workers one by one, without a failed request.",
    .details =
        "Each successor is ready before its predecessor drains. New code, environment and "
        "configuration\n"
        "are used. If a successor does not come up, the old workers go on.\n",
    .plan = PlanSoftRestart,
};

constinit const CommandInfo kClusterRestartCommand{
    .name = "cluster-restart",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "The same as soft-restart.",
    .plan = PlanSoftRestart,
};

int Run(const StartServiceOptions& options) {
  return CarryOut({options.control, options.service, RunService{options.service}, "start",
                   "starting", options.wait},
                  Say(options.service, options.wait, "started", "starting...", true));
}

int Run(const StopOptions& options) {
  const bool soft = options.soft;
  return CarryOut({options.control, options.service, StopService{options.service, soft},
                   soft ? "soft-stop" : "stop", soft ? "soft-stopping" : "stopping", options.wait},
                  Say(options.service, options.wait, soft ? "soft stopped" : "hard stopped",
                      soft ? "soft stopping..." : "stopping...", false));
}

int Run(const RestartOptions& options) {
  const bool rolling = options.rolling;
  const RollMode mode = rolling ? RollMode::kRolling : RollMode::kRestart;
  return CarryOut(
      {options.control, options.service, RestartService{options.service, mode, options.parallel},
       rolling ? "soft-restart" : "restart", rolling ? "soft-restarting" : "restarting",
       options.wait},
      Say(options.service, options.wait, rolling ? "soft restarted" : "restarted",
          rolling ? "soft restarting" : "restarting", true));
}

}  // namespace slc::ctl
