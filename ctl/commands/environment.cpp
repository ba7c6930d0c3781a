// slc ctl env-get, env-set, env-unset
#include "common/base/environment.h"

#include <algorithm>

#include "common/base/text.h"
#include "ctl/commands/change.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/status_tables.h"

namespace slc::ctl {
namespace {

Plan PlanGet(const Surroundings& around) {
  return Verb<EnvironmentGetOptions>(around).Make(
      [](EnvironmentGetOptions& options, const Words& operands) {
        options.keys.assign(operands.begin() + 1, operands.end());
        return TakeService(options, operands);
      });
}

Status TakeSet(EnvironmentChangeOptions& options, const Words& operands) {
  for (std::size_t i = 1; i < operands.size(); ++i) {
    const auto assignment = ParseAssignment(operands[i]);
    if (!assignment) return assignment.error();
    const auto& [name, value] = *assignment;
    if (Status good = CheckVariable(name, value); !good) return good;
    options.set[name] = value;
  }
  return TakeService(options, operands);
}

Status TakeUnset(EnvironmentChangeOptions& options, const Words& operands) {
  for (std::size_t i = 1; i < operands.size(); ++i) {
    if (Status good = CheckVariable(operands[i], ""); !good) return good;
    options.unset.push_back(operands[i]);
  }
  return TakeService(options, operands);
}

template <Status (*take)(EnvironmentChangeOptions&, const Words&)>
Plan PlanChange(const Surroundings& around) {
  Verb<EnvironmentChangeOptions> verb(around);
  verb.options().Flag("--no-restart", "Only record it; the next restart brings it to the app.",
                      [&value = verb.value()] { value.restart = false; });
  verb.AddNoWait();
  return std::move(verb).Make(take);
}

}  // namespace

constinit const CommandInfo kEnvironmentGetCommand{
    .name = "env-get",
    .alias = "env",
    .operands = "SVC [KEY...]",
    .least = 1,
    .most = kAnyNumber,
    .summary = "Show environment variables of a service.",
    .plan = PlanGet,
};

constinit const CommandInfo kEnvironmentSetCommand{
    .name = "env-set",
    .operands = "SVC K=V...",
    .least = 2,
    .most = kAnyNumber,
    .summary = "Set environment variables; a running service is soft-restarted.",
    .plan = PlanChange<TakeSet>,
};

constinit const CommandInfo kEnvironmentUnsetCommand{
    .name = "env-unset",
    .operands = "SVC KEY...",
    .least = 2,
    .most = kAnyNumber,
    .summary = "Remove environment variables; a running service is soft-restarted.",
    .plan = PlanChange<TakeUnset>,
};

int Run(const EnvironmentGetOptions& options) {
  int exit_code = kDone;
  const auto view = LookAt(options.control, options.service,
                           "show the environment of " + Printable(options.service), exit_code);
  if (!view) return exit_code;
  Environment shown = view->environment;
  if (!options.keys.empty()) {
    std::erase_if(shown, [&](const auto& variable) {
      return std::find(options.keys.begin(), options.keys.end(), variable.first) ==
             options.keys.end();
    });
  }
  if (options.control.json) {
    Print(EnvironmentJson(*view, shown));
    return kDone;
  }
  Print("Service ID: " + std::to_string(view->id) + "\nService Name: " + Printable(view->name) +
        "\n\nEnvironment variables:\n" +
        EnvironmentText(shown, "No matching environment variables defined"));
  return kDone;
}

int Run(const EnvironmentChangeOptions& options) {
  SetEnvironment body;
  body.service = options.service;
  body.set = options.set;
  body.unset = options.unset;
  body.restart = options.restart;
  return CarryOut({options.control, options.service, body, "change the environment of",
                   "soft-restarting", options.wait},
                  [&](const Answer& answer) {
                    std::string text =
                        "Service \"" + NameOf(answer, options.service) + "\" environment updated\n";
                    if (const ServiceView* view = OnlyService(answer.reply)) {
                      text +=
                          EnvironmentText(view->environment, "No environment variables defined");
                    }
                    return text;
                  });
}

}  // namespace slc::ctl
