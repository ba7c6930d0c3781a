// slc ctl status, slc ctl ls
#include <utility>

#include "common/base/text.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/remote/print_there.h"
#include "ctl/remote/remote_server.h"
#include "ctl/status_tables.h"
#include "ctl/usage_sample.h"

namespace slc::ctl {
namespace {

Plan PlanStatus(const Surroundings& around) {
  Verb<StatusOptions> verb(around);
  verb.options().Flag("--wide", "More columns: uptime, restarts, CPU, memory, slot, ...",
                      verb.value().wide);
  return std::move(verb).Make(TakeServiceIfAny<StatusOptions>);
}

Plan PlanList(const Surroundings& around) {
  Verb<ListOptions> verb(around);
  verb.options().Flag("--wide", "More columns: state, workers, listening ports.",
                      verb.value().wide);
  return std::move(verb).Make(NoOperands<ListOptions>);
}

// A home that was never used may be a wrong one.
void RemarkEmpty(const Answer& answer, const Control& control) {
  if (answer.kind != Answer::Kind::kNoServices || control.json) return;
  Remark("slc: there are no services in the home " + Printable(answer.place) + "\n");
}

}  // namespace

constinit const CommandInfo kStatusCommand{
    .name = "status",
    .elsewhere = "show describe ps",
    .operands = "[SVC]",
    .most = 1,
    .summary = "Services with their environment, instances and processes.",
    .plan = PlanStatus,
};

constinit const CommandInfo kListCommand{
    .name = "ls",
    .elsewhere = "list",
    .summary = "List the services.",
    .plan = PlanList,
};

int Run(const StatusOptions& options) {
  const std::string what =
      "show the status" +
      (options.service.empty() ? std::string() : " of " + Printable(options.service));
  // CPU and memory are measured where the processes are.
  const bool measured = options.wide || options.control.json;
  if (measured && IsRemote(options.control)) {
    PrintLook look;
    look.look = PrintedLook::kStatus;
    look.service = options.service;
    look.json = options.control.json;
    look.wide = options.wide;
    return PrintThere(options.control, std::move(look), what);
  }
  const Answer answer = Look(options.control, GetStatus{options.service});
  const bool empty = answer.kind == Answer::Kind::kNoServices && options.service.empty();
  if (!IsGood(answer) && !empty) {
    return ReportFailure(answer, what, options.service, options.control.json);
  }
  const auto& services = Services(answer.reply);
  if (options.control.json) {
    Print(ServicesJson(services, SampleUsage(services)));
  } else {
    const UsageByPid usage = options.wide ? SampleUsage(services) : UsageByPid{};
    Print(StatusText(services, options.wide, usage));
  }
  RemarkEmpty(answer, options.control);
  RemarkNotes(answer.reply);
  return kDone;
}

int Run(const ListOptions& options) {
  const Answer answer = Look(options.control, ListServices{});
  const bool empty = answer.kind == Answer::Kind::kNoServices;
  if (!IsGood(answer) && !empty) {
    return ReportFailure(answer, "list the services", "", options.control.json);
  }
  const auto& services = Services(answer.reply);
  Print(options.control.json ? ServicesJson(services, std::nullopt)
                             : ListText(services, options.wide));
  RemarkEmpty(answer, options.control);
  RemarkNotes(answer.reply);
  return kDone;
}

}  // namespace slc::ctl
