// slc ctl releases, rollback: what has been deployed to a service, and back to it.
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/release.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kShownDigits = 12;

Plan PlanReleases(const Surroundings& around) {
  return Verb<ReleasesOptions>(around).Make(TakeService<ReleasesOptions>);
}

Plan PlanRollback(const Surroundings& around) {
  return Verb<RollbackOptions>(around).Make(
      [](RollbackOptions& options, const Words& operands) -> Status {
        if (operands.size() > 1) options.release = operands[1];
        return TakeService(options, operands);
      });
}

std::string From(const Release& release) {
  switch (release.origin) {
    case ReleaseOrigin::kGit:
      return "branch " + release.branch;
    case ReleaseOrigin::kFolder:
      return release.folder;
    case ReleaseOrigin::kTarball:
      break;
  }
  return "archive";
}

std::string StateOf(const ReleaseView& view) {
  if (view.in_service) return "in service";
  return view.release.state == ReleaseState::kProven ? "kept" : "being deployed";
}

std::string ReleasesText(const ReleaseList& releases, const std::string& service) {
  if (releases.empty()) return "No releases: " + Printable(service) + " was never deployed to\n";
  std::vector<std::vector<std::string>> rows{{"No", "Release", "When", "By", "From", "Size", ""}};
  for (const ReleaseView& view : releases) {
    const Release& release = view.release;
    rows.push_back({std::to_string(release.number), release.name.substr(0, kShownDigits),
                    release.when == 0 ? "" : FormatIso(release.when), Printable(release.by),
                    Printable(From(release)), release.bytes == 0 ? "" : FormatBytes(release.bytes),
                    StateOf(view)});
  }
  return LayOut(rows, {});
}

// What a person who waits wants to see of it.
void Show(const Progress& progress) {
  if (progress.kind == "note" || progress.kind == "output") Print(Printable(progress.text) + "\n");
}

}  // namespace

constinit const CommandInfo kReleasesCommand{
    .name = "releases",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "List what was deployed to a service and is kept, newest first.",
    .plan = PlanReleases,
};

constinit const CommandInfo kRollbackCommand{
    .name = "rollback",
    .elsewhere = "revert",
    .operands = "SVC [RELEASE]",
    .least = 1,
    .most = 2,
    .summary = "Put an earlier release back into service.",
    .details =
        "RELEASE: its number, or the first digits of its hash, as `slc ctl releases` shows them; "
        "else the\none before. It comes into service as a new one does: one worker first, then the "
        "others, and if\nthat fails what runs now runs on.\n",
    .plan = PlanRollback,
};

int Run(const ReleasesOptions& options) {
  Question question;
  question.control = options.control;
  question.body = ListReleases{options.service};
  const Answer answer = Ask(question);
  const auto* releases = std::get_if<ReleaseList>(&answer.reply.data);
  const bool good = answer.kind == Answer::Kind::kReply && !answer.reply.error;
  if (!good) {
    return ReportFailure(answer, "releases of " + options.service, options.service,
                         options.control.json);
  }
  const ReleaseList list = releases != nullptr ? *releases : ReleaseList{};
  Print(options.control.json ? ReleasesJson(list) : ReleasesText(list, options.service));
  return kDone;
}

int Run(const RollbackOptions& options) {
  Question question;
  question.control = options.control;
  question.body = Rollback{options.service, options.release};
  question.service = options.service;
  question.doing = "rolling back " + options.service;
  question.quiet = options.control.json;
  if (!options.control.json) question.on_progress = Show;
  const Answer answer = Ask(question);
  const auto* done = std::get_if<DeployReply>(&answer.reply.data);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error || done == nullptr) {
    return ReportFailure(answer, "rollback " + options.service, options.service,
                         options.control.json);
  }
  if (options.control.json) {
    Print(RollbackJson(*done, answer.took));
  } else {
    Print("Service \"" + Printable(options.service) + "\" rolled back: " + Printable(done->text) +
          "\n");
  }
  return kDone;
}

}  // namespace slc::ctl
