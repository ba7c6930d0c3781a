// Commands that only look: status, ls, info, env-get, npmls.
#include <algorithm>

#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/package_tree.h"
#include "ctl/status_tables.h"
#include "ctl/usage_sample.h"

namespace slc::ctl {
namespace {

Answer Look(const Control& control, RequestBody body) {
  Question question;
  question.socket = control.socket;
  question.body = std::move(body);
  return Ask(question);
}

bool IsGood(const Answer& answer) {
  return answer.kind == Answer::Kind::kReply && !answer.reply.error;
}

// Results stand alone on standard output; what else slcd has to say goes beside it.
void RemarkNotes(const Reply& reply) {
  for (const std::string& note : reply.notes) Remark("slc: " + Printable(note) + "\n");
}

// A command about one service: its view, or the exit code of why there is none.
Result<ServiceView> LookAt(const Control& control, const std::string& service,
                           const std::string& what, int& exit_code) {
  const Answer answer = Look(control, GetStatus{service});
  const ServiceView* view = IsGood(answer) ? OnlyService(answer.reply) : nullptr;
  if (view != nullptr) return *view;
  if (IsGood(answer)) {
    const Error error{ErrorCode::kProtocol, "slcd did not answer with one service"};
    exit_code = ReportError(error, control.json);
    return error;
  }
  exit_code = ReportFailure(answer, what, service, control.json);
  return Error{};
}

}  // namespace

int Run(const StatusOptions& options) {
  const Answer answer = Look(options.control, GetStatus{options.service});
  const bool empty = answer.kind == Answer::Kind::kNoServices && options.service.empty();
  if (!IsGood(answer) && !empty) {
    const std::string what =
        "show the status" +
        (options.service.empty() ? std::string() : " of " + Printable(options.service));
    return ReportFailure(answer, what, options.service, options.control.json);
  }
  const auto& services = Services(answer.reply);
  if (options.control.json) {
    Print(ServicesJson(services));
  } else {
    const UsageByPid usage = options.wide ? SampleUsage(services) : UsageByPid{};
    Print(StatusText(services, options.wide, usage));
  }
  RemarkNotes(answer.reply);
  return kDone;
}

int Run(const ListOptions& options) {
  const Answer answer = Look(options.control, ListServices{});
  const bool empty = answer.kind == Answer::Kind::kNoServices;
  if (!IsGood(answer) && !empty) {
    return ReportFailure(answer, "list the services", "", options.control.json);
  }
  const auto& services = Services(answer.reply);
  Print(options.control.json ? ServicesJson(services) : ListText(services));
  RemarkNotes(answer.reply);
  return kDone;
}

int Run(const InfoOptions& options) {
  const Answer answer = Look(options.control, GetInfo{});
  if (answer.kind == Answer::Kind::kNoServices) {
    Print(options.control.json
              ? NotRunningJson(answer.place)
              : "Server Name:     slcd\nServer Version:  " SLC_VERSION "\nHome:            " +
                    Printable(answer.place) +
                    "\nDriver Status:   not running, no services exist\n");
    return kDone;
  }
  if (!IsGood(answer)) {
    return ReportFailure(answer, "ask slcd about itself", "", options.control.json);
  }
  const auto* info = std::get_if<DaemonInfo>(&answer.reply.data);
  if (info == nullptr) {
    return ReportError(Error{ErrorCode::kProtocol, "slcd did not say anything about itself"},
                       options.control.json);
  }
  if (options.control.json) {
    Print(InfoJson(*info));
    return kDone;
  }
  Print(
      "Server Name:     slcd\n"
      "Server Version:  " +
      Printable(info->version) +
      "\n"
      "Server PID:      " +
      std::to_string(info->pid) +
      "\n"
      "API Version:     " +
      std::to_string(info->protocol) +
      "\n"
      "API Socket:      " +
      Printable(info->socket) +
      "\n"
      "Home:            " +
      Printable(info->home) +
      "\n"
      "Running since:   " +
      FormatIso(info->started_wall) + " (" + FormatSpan(info->uptime) +
      ")\n"
      "CPUs:            " +
      std::to_string(info->cpus) +
      "\n"
      "Services:        " +
      std::to_string(info->services) +
      "\n"
      "Driver Status:   running\n");
  RemarkNotes(answer.reply);
  return kDone;
}

int Run(const EnvironmentGetOptions& options) {
  int exit_code = kDone;
  const auto view = LookAt(options.control, options.service,
                           "show the environment of " + Printable(options.service), exit_code);
  if (!view) return exit_code;
  Environment shown = view->environment;
  if (!options.keys.empty()) {
    std::erase_if(shown, [&](const auto& variable) {
      return std::find(options.keys.begin(), options.keys.end(), variable.first) ==
             options.keys.end();
    });
  }
  if (options.control.json) {
    Print(EnvironmentJson(*view, shown));
    return kDone;
  }
  Print("Service ID: " + std::to_string(view->id) + "\nService Name: " + Printable(view->name) +
        "\n\nEnvironment variables:\n" +
        EnvironmentText(shown, "No matching environment variables defined"));
  return kDone;
}

int Run(const PackagesOptions& options) {
  int exit_code = kDone;
  const auto view = LookAt(options.control, options.service,
                           "list the packages of " + Printable(options.service), exit_code);
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
