// slc build: makes of an app what `slc deploy` takes.
#include "ctl/build/build.h"

#include <memory>

#include "common/base/text.h"
#include "common/model/app_folder.h"
#include "ctl/build/steps.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

using Mode = BuildOptions::Mode;

struct Typed {
  BuildOptions options;
  bool npm = false;
  bool git = false;
};

Result<Command> Decide(Typed typed) {
  BuildOptions& options = typed.options;
  if (typed.npm && typed.git) return Error{ErrorCode::kUsage, "--npm or --git, not both"};
  const bool steps = options.install || options.pack || options.commit;
  if ((typed.npm || typed.git) && steps) {
    return Error{ErrorCode::kUsage,
                 "--npm and --git are whole builds; single steps are given alone"};
  }
  if (typed.npm) options.mode = Mode::kNpm;
  if (typed.git) options.mode = Mode::kGit;
  if (steps) options.mode = Mode::kSteps;
  // That is what the two are, in the words of before.
  if (options.install && options.pack && !options.commit) options.mode = Mode::kNpm;
  if (options.install && options.commit && !options.pack) options.mode = Mode::kGit;
  const bool commits =
      options.mode == Mode::kGit || options.mode == Mode::kDefault || options.commit;
  if (options.onto_given && !commits) {
    return Error{ErrorCode::kUsage, "--onto is for a build that is committed: --git or --commit"};
  }
  if (options.onto_given && options.mode == Mode::kDefault) options.mode = Mode::kGit;
  const bool packs = options.mode == Mode::kNpm || options.pack;
  if (!options.output.empty() && options.mode == Mode::kDefault)
    options.mode = Mode::kNpm;
  else if (!options.output.empty() && !packs) {
    return Error{ErrorCode::kUsage, "--output is for a build that is packed: --npm or --pack"};
  }
  return Command(std::move(options));
}

Plan PlanBuild(const Surroundings& /*around*/) {
  auto typed = std::make_shared<Typed>();
  BuildOptions& options = typed->options;
  options.onto = kDeployBranch;
  Plan plan;
  plan.options.Flag("-n,--npm", "Install and pack into ../NAME-VERSION.tgz.", typed->npm);
  plan.options.Flag("-g,--git", "Install and commit onto a branch.", typed->git);
  plan.options.Value("--onto", "BRANCH", "The branch (deploy); it is made if need be.",
                     [typed](const std::string& branch) {
                       typed->options.onto = branch;
                       typed->options.onto_given = true;
                       return Ok();
                     });
  plan.options.Flag("-s,--scripts", "Run the install scripts of packages, too.", options.scripts);
  plan.options.Text("-o,--output", "FILE", "Pack into this file.", options.output);
  plan.options.Flag("-i,--install", "Only this step, in the folder itself: install.",
                    options.install);
  plan.options.Flag("-p,--pack", "Only this step: pack the folder as it is.", options.pack);
  plan.options.Flag("-c,--commit", "Only this step: commit the folder as it is.", options.commit);
  plan.options.Flag("-b,--bundle", "Does nothing; packages are always part of it.", [] {});
  plan.options.Flag("--json", "Print one JSON value instead of text.", options.json);
  plan.make = [typed](const Words& /*operands*/) { return Decide(*typed); };
  return plan;
}

std::string SizeText(std::uint64_t bytes) {
  return bytes < 10'000 ? std::to_string(bytes) + " bytes" : FormatBytes(bytes);
}

std::string Text(const Product& product) {
  if (product.unchanged) {
    return "Build products already up to date on `" + Printable(product.branch) + "`\n";
  }
  std::string text;
  if (!product.archive.empty()) {
    text += "Packed " + std::to_string(product.packed.files) + " files into " +
            Printable(product.archive) + " (" + SizeText(product.packed.bytes) + ")\n";
  }
  if (!product.branch.empty()) {
    text += "Committed build products onto `" + Printable(product.branch) + "`\n";
  }
  return text.empty() ? "Installed\n" : text;
}

BuildReport ReportOf(const Product& product, const Steps& steps, Millis took) {
  BuildReport report;
  report.name = product.name;
  report.version = product.version;
  report.archive = product.archive;
  report.files = product.packed.files;
  report.bytes = product.packed.bytes;
  report.branch = product.branch;
  report.commit = product.commit;
  report.unchanged = product.unchanged;
  report.notes = steps.notes();
  report.took = took;
  return report;
}

}  // namespace

constinit const CommandInfo kBuildCommand{
    .name = "build",
    .elsewhere = "pack package bundle",
    .summary = "Make of the app in this folder what can be deployed.",
    .details =
        "In a git repository the last commit is checked out, its packages installed, the script\n"
        "\"build\" run, and the result committed onto the branch 'deploy'. Elsewhere the same\n"
        "happens in a copy of the folder, which is packed into ../NAME-VERSION.tgz. The folder "
        "and\n"
        "its node_modules stay as they are.\n",
    .here_only = "it works on the folder here; what it makes is brought there by: slc deploy URL",
    .plan = PlanBuild,
};

int Run(const BuildOptions& options) {
  const auto folder = CurrentFolder();
  if (!folder) return ReportError(folder.error(), options.json);
  const Millis began = BootNow();
  Interrupts interrupts;
  Steps steps(interrupts, options.json);
  const auto product = Build(options, *folder, steps);
  interrupts.GiveWay();
  if (product) {
    if (options.json) {
      Print(BuildJson(ReportOf(*product, steps, BootNow() - began)));
      return kDone;
    }
    for (const std::string& note : steps.notes()) Remark("slc: note: " + note + "\n");
    Print(Text(*product));
    return kDone;
  }
  const Error error = product.error().During("build " + *folder);
  if (options.json) {
    Print(ErrorJson(error, steps.output(), steps.notes()));
    return error.code == ErrorCode::kUsage ? kWrongUsage : kFailed;
  }
  const int code = ReportError(error, false);
  for (const std::string& line : steps.output()) Remark("  " + line + "\n");
  return code;
}

}  // namespace slc::ctl
