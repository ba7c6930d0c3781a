// Commands that change a service and answer when that has happened.
#include <functional>

#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/status_tables.h"

namespace slc::ctl {
namespace {

struct Change {
  const Control& control;
  std::string service;  // as typed
  RequestBody body;
  std::string verb;   // "soft-restart": for failures
  std::string doing;  // "soft-restarting": for progress
  bool wait = true;
};

// The service as slcd calls it; as typed if it did not say.
std::string NameOf(const Answer& answer, const std::string& typed) {
  const ServiceView* view = OnlyService(answer.reply);
  return Printable(view != nullptr ? view->name : typed);
}

// `tell` gives the text for a good answer.
int CarryOut(const Change& change, const std::function<std::string(const Answer&)>& tell) {
  Question question;
  question.socket = change.control.socket;
  question.body = change.body;
  question.wait = change.wait;
  question.service = change.service;
  question.doing = change.doing + " " + change.service;
  question.quiet = change.control.json;
  const Answer answer = Ask(question);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    return ReportFailure(answer, change.verb + " " + change.service, change.service,
                         change.control.json);
  }
  if (change.control.json) {
    Print(DoneJson(answer.reply, answer.took));
    return kDone;
  }
  std::string text = tell(answer);
  for (const std::string& note : answer.reply.notes) text += "  " + Printable(note) + "\n";
  Print(text);
  return kDone;
}

std::string Workers(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " worker" : " workers");
}

// `: 4 workers, generation 3, 2.1 s`, as far as it is known.
std::string Details(const Answer& answer) {
  const ServiceView* view = OnlyService(answer.reply);
  std::string text = ": ";
  if (view != nullptr) {
    text += Workers(view->cluster_size) + ", generation " + std::to_string(view->generation) + ", ";
  }
  return text + TookText(answer.took);
}

std::function<std::string(const Answer&)> Say(const std::string& service, bool wait,
                                              const std::string& done, const std::string& begun,
                                              bool details) {
  return [=](const Answer& answer) {
    const std::string subject = "Service \"" + NameOf(answer, service) + "\" ";
    if (!wait) return subject + begun + "\n";
    return subject + done + (details ? Details(answer) : "") + "\n";
  };
}

}  // namespace

int Run(const CreateOptions& options) {
  Question question;
  question.socket = options.control.socket;
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

int Run(const RemoveOptions& options) {
  return CarryOut(
      {options.control, options.service, RemoveService{options.service}, "remove", "removing",
       true},
      [&](const Answer&) { return "Destroyed service: " + Printable(options.service) + "\n"; });
}

int Run(const ShutdownOptions& options) {
  Question question;
  question.socket = options.control.socket;
  question.when_absent = WhenAbsent::kStartIfMasters;
  question.body = Shutdown{};
  question.doing = "shutting down";
  question.quiet = options.control.json;
  const Answer answer = Ask(question);
  const bool absent = answer.kind == Answer::Kind::kNoServices;
  if (!absent && (answer.kind != Answer::Kind::kReply || answer.reply.error)) {
    return ReportFailure(answer, "shut down", "", options.control.json);
  }
  if (options.control.json) {
    Print(DoneJson(answer.reply, answer.took));
    return kDone;
  }
  std::string text = absent ? "slcd was not running\n" : "slcd was shut down\n";
  for (const std::string& note : answer.reply.notes) text += "  " + Printable(note) + "\n";
  Print(text);
  return kDone;
}

}  // namespace slc::ctl
