#include "ctl/commands/look.h"

#include <utility>

#include "common/base/home.h"
#include "common/base/text.h"
#include "ctl/output.h"

namespace slc::ctl {

Answer Look(const Control& control, RequestBody body) {
  Question question;
  question.control = control;
  question.body = std::move(body);
  return Ask(question);
}

Result<std::string> HomeOf(const Control& control) {
  if (control.ours()) {
    auto home = LocateOwnHome();
    if (!home) return home.error();
    return home->home;
  }
  const Answer answer = Look(control, GetInfo{});
  const auto* info = std::get_if<DaemonInfo>(&answer.reply.data);
  if (info != nullptr) return info->home;
  const bool reached = answer.kind == Answer::Kind::kReply;
  if (reached && answer.reply.error) return *answer.reply.error;
  return Error{ErrorCode::kUnreachable,
               reached ? control.at + " did not say where its home is" : answer.error.message};
}

bool IsGood(const Answer& answer) {
  return answer.kind == Answer::Kind::kReply && !answer.reply.error;
}

void RemarkNotes(const Reply& reply) {
  for (const std::string& note : reply.notes) Remark("slc: " + Printable(note) + "\n");
}

Result<ServiceView> LookAt(const Control& control, const std::string& service,
                           const std::string& what, int& exit_code) {
  const Answer answer = Look(control, GetStatus{service});
  const ServiceView* view = IsGood(answer) ? OnlyService(answer.reply) : nullptr;
  if (view != nullptr && view->state != "quarantined") return *view;
  if (view != nullptr) {
    const Error error{ErrorCode::kConflict,
                      "cannot " + what + ": it is quarantined: " + view->reason};
    exit_code = ReportError(error, control.json);
    return error;
  }
  if (IsGood(answer)) {
    const Error error{ErrorCode::kProtocol, "slcd did not answer with one service"};
    exit_code = ReportError(error, control.json);
    return error;
  }
  exit_code = ReportFailure(answer, what, service, control.json);
  return Error{};
}

}  // namespace slc::ctl
