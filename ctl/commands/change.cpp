#include "ctl/commands/change.h"

#include "common/base/text.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

std::string Workers(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " worker" : " workers");
}

std::string Details(const Answer& answer) {
  const ServiceView* view = OnlyService(answer.reply);
  std::string text = ": ";
  if (view != nullptr) {
    text += Workers(view->cluster_size) + ", generation " + std::to_string(view->generation) + ", ";
  }
  return text + TookText(answer.took);
}

}  // namespace

std::string NameOf(const Answer& answer, const std::string& typed) {
  const ServiceView* view = OnlyService(answer.reply);
  return Printable(view != nullptr ? view->name : typed);
}

int CarryOut(const Change& change, const Tell& tell) {
  Question question;
  question.control = change.control;
  question.body = change.body;
  question.wait = change.wait;
  question.service = change.service;
  question.doing = change.doing + " " + change.service;
  question.quiet = change.control.json;
  const Answer answer = Ask(question);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    const int code = ReportFailure(answer, change.verb + " " + change.service, change.service,
                                   change.control.json);
    if (!change.control.json && NothingServes(answer.reply)) {
      const std::string name = NameOf(answer, change.service);
      Remark("Nothing of " + name + " serves now. What is done about that: slc ctl status " + name +
             "    Its log: slc logs " + name + "\n");
    }
    return code;
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

Tell Say(const std::string& service, bool wait, const std::string& done, const std::string& begun,
         bool details) {
  return [=](const Answer& answer) {
    const std::string subject = "Service \"" + NameOf(answer, service) + "\" ";
    if (!wait) return subject + begun + "\n";
    return subject + done + (details ? Details(answer) : "") + "\n";
  };
}

}  // namespace slc::ctl
