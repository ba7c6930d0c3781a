// slc upgrade: slcd and all masters become the installed version.
#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

Plan PlanUpgrade(const Surroundings& around) {
  return Verb<UpgradeOptions>(around).Make(NoOperands<UpgradeOptions>);
}

// "slc-master of my-app (pid 12)  0.1.0 -> 0.2.0  14 ms"
std::string LineOf(const ProcessUpgrade& process) {
  std::string line = process.program;
  if (!process.service.empty()) line += " of " + process.service;
  line += " (pid " + std::to_string(process.pid) + ")  ";
  line += process.from.empty() ? "unknown version" : process.from;
  if (!process.reason.empty()) return Printable(line + "  stays: " + process.reason) + "\n";
  if (process.already) return Printable(line + "  already the installed version") + "\n";
  return Printable(line + " -> " + process.to) + "  " + std::to_string(process.took) + " ms\n";
}

}  // namespace

constinit const CommandInfo kUpgradeCommand{
    .name = "upgrade",
    .elsewhere = "update",
    .summary = "After an upgrade of the package: slcd and all masters become the new version.",
    .details =
        "Each goes on in place as the installed version: pids, workers, connections and logs stay, "
        "no request\nfails. Before, the new version has to say that it could run; the first "
        "process "
        "that does not come out\nof it as it should ends the upgrade. A line per process tells "
        "what "
        "became of it.\n",
    .here_only = "it takes the package that is installed there; log in there and run it",
    .takes_socket = true,
    .plan = PlanUpgrade,
};

int Run(const UpgradeOptions& options) {
  Question question;
  question.control = options.control;
  question.when_absent = WhenAbsent::kStartIfMasters;
  question.body = UpgradeAll{};
  question.doing = "upgrading";
  question.quiet = options.control.json;
  const Answer answer = Ask(question);
  const auto* report = std::get_if<UpgradeReport>(&answer.reply.data);
  if (answer.kind == Answer::Kind::kNoServices) {
    Print(options.control.json ? UpgradeJson(Reply{}, {}, answer.took)
                               : "nothing runs, so there is nothing to upgrade\n");
    return kDone;
  }
  if (answer.kind != Answer::Kind::kReply || report == nullptr) {
    return ReportFailure(answer, "upgrade", "", options.control.json);
  }
  if (options.control.json) {
    Print(UpgradeJson(answer.reply, *report, answer.took));
    return ExitCodeOf(answer);
  }
  std::string text;
  for (const ProcessUpgrade& process : *report) text += LineOf(process);
  Print(text);
  if (!answer.reply.error) return kDone;
  return ReportFailure(answer, "upgrade everything", "", false);
}

}  // namespace slc::ctl
