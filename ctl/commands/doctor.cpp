// slc doctor: whether all is well with slc on this machine, and would be after a reboot.
#include <memory>

#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/doctor/checks.h"
#include "ctl/doctor/patient.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

Plan PlanDoctor(const Surroundings& /*around*/) {
  auto value = std::make_shared<DoctorOptions>();
  Plan plan;
  plan.options.Flag("--json", "Print one JSON value instead of text.", value->json);
  plan.make = [value](const Words& /*operands*/) { return Result<Command>(Command(*value)); };
  return plan;
}

}  // namespace

constinit const CommandInfo kDoctorCommand{
    .name = "doctor",
    .elsewhere = "check diagnose report",
    .summary = "Look for what is wrong, or would be after a reboot, and say what to do.",
    .details =
        "Changes nothing and starts nothing. The exit code is 1 if something is wrong; warnings\n"
        "do not count.\n",
    .here_only = "it looks at this machine; log in there and run it",
    .plan = PlanDoctor,
};

int Run(const DoctorOptions& options) {
  const auto patient = Examine();
  if (!patient) return ReportError(patient.error(), options.json);
  Findings findings;
  for (const auto check : {CheckHome, CheckDaemon, CheckMasters, CheckStrays, CheckBoot,
                           CheckMachine, CheckServices, CheckOrphans}) {
    for (Finding& finding : check(*patient)) findings.push_back(std::move(finding));
  }
  Print(options.json ? FindingsJson(findings) : FindingsText(findings));
  return AnyWrong(findings) ? kFailed : kDone;
}

}  // namespace slc::ctl
