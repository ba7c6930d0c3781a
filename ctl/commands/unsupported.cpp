// slc ctl patch, tracing-start, tracing-stop: commands of StrongLoop's slc that say what to use
// instead.
#include "common/model/inspection.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"

namespace slc::ctl {
namespace {

template <bool patch>
Plan PlanUnsupported(const Surroundings& around) {
  Verb<UnsupportedOptions> verb(around);
  verb.value().why = patch ? kNoPatch : kNoTracing;
  return std::move(verb).Make(
      [](UnsupportedOptions& /*options*/, const Words& /*operands*/) { return Ok(); });
}

}  // namespace

constinit const CommandInfo kPatchCommand{
    .name = "patch",
    .operands = "WRK FILE",
    .most = 2,
    .summary = "Not supported; says what to use instead.",
    .plan = PlanUnsupported<true>,
};

constinit const CommandInfo kTracingStartCommand{
    .name = "tracing-start",
    .operands = "SVC",
    .most = 1,
    .summary = "Not supported; says what to use instead.",
    .plan = PlanUnsupported<false>,
};

constinit const CommandInfo kTracingStopCommand{
    .name = "tracing-stop",
    .operands = "SVC",
    .most = 1,
    .summary = "Not supported; says what to use instead.",
    .plan = PlanUnsupported<false>,
};

int Run(const UnsupportedOptions& options) {
  return ReportError(Error{ErrorCode::kInvalid, options.why}, options.control.json);
}

}  // namespace slc::ctl
