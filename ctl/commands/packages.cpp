// slc ctl npmls
#include <utility>

#include "common/base/text.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/package_tree.h"
#include "ctl/remote/print_there.h"
#include "ctl/remote/remote_server.h"
#include "ctl/status_tables.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

Plan PlanPackages(const Surroundings& around) {
  return Verb<PackagesOptions>(around).Make(
      [](PackagesOptions& options, const Words& operands) -> Status {
        if (operands.size() > 1) {
          const auto depth = ToNumber(operands[1], 0, 1000, "DEPTH is a number from 0 to 1000");
          if (!depth) return depth.error();
          options.depth = static_cast<std::uint32_t>(*depth);
        }
        return TakeService(options, operands);
      });
}

}  // namespace

constinit const CommandInfo kPackagesCommand{
    .name = "npmls",
    .operands = "SVC [DEPTH]",
    .least = 1,
    .most = 2,
    .summary = "List the npm packages of a service.",
    .details = "DEPTH 0 shows the direct dependencies only.\n",
    .takes_numbers = true,
    .plan = PlanPackages,
};

int Run(const PackagesOptions& options) {
  const std::string what = "list the packages of " + Printable(options.service);
  if (IsRemote(options.control)) {
    PrintLook look;
    look.look = PrintedLook::kPackages;
    look.service = options.service;
    look.json = options.control.json;
    look.depth = options.depth;
    return PrintThere(options.control, std::move(look), what);
  }
  int exit_code = kDone;
  const auto view = LookAt(options.control, options.service, what, exit_code);
  if (!view) return exit_code;
  if (view->directory.empty()) {
    return ReportError(
        Error{ErrorCode::kInvalid, "service '" + view->name + "' has no app yet, so no packages"},
        options.control.json);
  }
  auto tree = ReadPackages(view->directory, options.depth);
  if (!tree) {
    return ReportError(tree.error().During("cannot list the packages of " + view->name),
                       options.control.json);
  }
  Print(options.control.json ? PackagesJson(*view, *tree) : PackagesText(*tree));
  return kDone;
}

}  // namespace slc::ctl
