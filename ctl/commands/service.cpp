// slc ctl create, set-size, remove: the services there are, and how large.
#include "common/model/service.h"

#include "common/base/text.h"
#include "ctl/commands/change.h"
#include "ctl/commands/commands.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

Plan PlanCreate(const Surroundings& around) {
  Verb<CreateOptions> verb(around);
  CreateOptions& create = verb.value();
  verb.options().Value("--size", "N|cpu", "Number of workers, 0 to 1024; else one per CPU.",
                       [&create](const std::string& text) -> Status {
                         const auto size = ParseSize(text);
                         if (!size) return size.error();
                         create.size = *size;
                         return Ok();
                       });
  return std::move(verb).Make([](CreateOptions& options, const Words& operands) {
    options.name = operands[0];
    return CheckServiceName(options.name);
  });
}

Plan PlanSetSize(const Surroundings& around) {
  Verb<SetSizeOptions> verb(around);
  verb.AddNoWait();
  return std::move(verb).Make([](SetSizeOptions& options, const Words& operands) -> Status {
    const auto size = ParseSize(operands[1]);
    if (!size) return size.error();
    options.size = *size;
    return TakeService(options, operands);
  });
}

Plan PlanRemove(const Surroundings& around) {
  return Verb<RemoveOptions>(around).Make(TakeService<RemoveOptions>);
}

}  // namespace

constinit const CommandInfo kCreateCommand{
    .name = "create",
    .operands = "NAME",
    .least = 1,
    .most = 1,
    .summary = "Create a service that has no app yet.",
    .plan = PlanCreate,
};

constinit const CommandInfo kSetSizeCommand{
    .name = "set-size",
    .elsewhere = "scale",
    .operands = "SVC N|cpu",
    .least = 2,
    .most = 2,
    .summary = "Set the number of workers: 0 to 1024, or one per CPU.",
    .takes_numbers = true,
    .plan = PlanSetSize,
};

constinit const CommandInfo kRemoveCommand{
    .name = "remove",
    .elsewhere = "delete rm destroy",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Stop a service and forget it.",
    .plan = PlanRemove,
};

int Run(const CreateOptions& options) {
  Question question;
  question.control = options.control;
  question.when_absent = WhenAbsent::kStart;
  question.body = CreateService{options.name, options.size};
  question.doing = "creating " + options.name;
  question.quiet = options.control.json;
  const Answer answer = Ask(question);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    return ReportFailure(answer, "create " + options.name, options.name, options.control.json);
  }
  if (options.control.json) {
    Print(DoneJson(answer.reply, answer.took));
    return kDone;
  }
  const ServiceView* view = OnlyService(answer.reply);
  const std::string id = view != nullptr ? std::to_string(view->id) : "?";
  // Group and scale are words of the original, where a service could have several instances.
  Print("Created Service id: " + id + " name: \"" + NameOf(answer, options.name) +
        "\" group: \"default\" scale: 1\n");
  return kDone;
}

int Run(const SetSizeOptions& options) {
  const std::string size = FormatSize(options.size);
  return CarryOut(
      {options.control, options.service, SetSize{options.service, options.size}, "set the size of",
       "setting the size of", options.wait},
      [&](const Answer& answer) {
        const ServiceView* view = OnlyService(answer.reply);
        // "cpu" says little; a stopped service has no number yet.
        const bool number = options.size == kSizeCpu && view != nullptr && view->cluster_size > 0;
        return "Service \"" + NameOf(answer, options.service) + "\" size was set to " + size +
               (number ? " (" + std::to_string(view->cluster_size) + ")" : "") + "\n";
      });
}

int Run(const RemoveOptions& options) {
  return CarryOut(
      {options.control, options.service, RemoveService{options.service}, "remove", "removing",
       true},
      [&](const Answer&) { return "Destroyed service: " + Printable(options.service) + "\n"; });
}

}  // namespace slc::ctl
