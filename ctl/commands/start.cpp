// slc start and slc run.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "common/base/files.h"
#include "common/base/ids.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/app_folder.h"
#include "ctl/boot/hint.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/service_options.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/start_request.h"

namespace slc::ctl {
namespace {

Plan PlanStart(const Surroundings& around) {
  Plan plan;
  auto start = std::make_shared<StartOptions>();
  AddServiceOptions(plan.options, *start);
  plan.options.Flag("--replace", "Take over the name from a service of another folder.",
                    start->replace);
  plan.options.Flag("--no-wait", "Do not wait until it has happened.",
                    [&wait = start->wait] { wait = false; });
  plan.options.Flag("--json", "Print one JSON value instead of text.", start->json);
  plan.make = [start, behind = around.app](const Words& operands) -> Result<Command> {
    if (Status good = TakeTarget(*start, operands, behind); !good) return good.error();
    return Command{*start};
  };
  return plan;
}

Plan PlanRun(const Surroundings& around) {
  Plan plan;
  auto run = std::make_shared<RunOptions>();
  AddServiceOptions(plan.options, run->start);
  plan.make = [run, behind = around.app](const Words& operands) -> Result<Command> {
    if (Status good = TakeTarget(run->start, operands, behind); !good) return good.error();
    return Command{*run};
  };
  return plan;
}

Result<StartService> Prepare(const StartOptions& options, bool foreground) {
  auto here = CurrentFolder();
  if (!here) return here.error();
  return MakeStartRequest(options, *here, OwnEnvironment(), foreground);
}

std::string Chosen(const ServiceSpec& spec) {
  return Printable(spec.name) + ": " + Printable(spec.script) + " (" +
         Printable(spec.script_reason) + ")\n";
}

std::string WorkerLine(WorkerId worker, int pid, const std::vector<std::string>& listening,
                       const std::string& when) {
  std::string line = "  worker " + std::to_string(worker) + "  pid " + std::to_string(pid);
  if (!listening.empty()) line += "  " + Printable(Join(listening, ", "));
  return line + "  " + when + "\n";
}

// Prints each worker once: as slcd reports it, or from the final answer if a report was lost.
class WorkerLines {
 public:
  explicit WorkerLines(bool enabled) : enabled_(enabled) {}

  void On(const Progress& progress) {
    if (!enabled_) return;
    if (progress.kind == "worker_ready" && printed_.insert(progress.worker).second) {
      Print(WorkerLine(progress.worker, progress.pid, progress.listening,
                       "ready after " + TookText(progress.millis)));
    }
  }
  void Complete(const ServiceView& service) {
    for (const ProcessView& process : service.processes) {
      if (process.worker == 0 || process.state != "ready") continue;
      if (!printed_.insert(process.worker).second) continue;
      Print(WorkerLine(process.worker, process.pid, process.listening,
                       "ready, up " + FormatSpan(process.uptime)));
    }
  }

 private:
  bool enabled_;
  std::set<WorkerId> printed_;
};

std::string Summary(const ServiceView& service) {
  std::set<std::string> places;
  std::uint32_t ready = 0;
  for (const ProcessView& process : service.processes) {
    if (process.worker == 0 || process.state != "ready") continue;
    ++ready;
    places.insert(process.listening.begin(), process.listening.end());
  }
  std::string text = Printable(service.name) + " runs: " + std::to_string(ready) +
                     (ready == 1 ? " worker" : " workers");
  if (!places.empty()) {
    text += " on " + Printable(Join({places.begin(), places.end()}, ", "));
  }
  return text + "\n";
}

std::string NextSteps(const std::string& name) {
  return "  look:           slc ctl status " + name + "\n  logs:           slc logs " + name +
         " -f\n  " + BootHint() + "\n";
}

// What a failure's own words suggest to do, where that is known.
std::string Remedy(const Reply& reply, const std::string& name) {
  const Error& error = *reply.error;
  const std::vector<std::string>& log_tail = reply.log_tail;
  const auto printed = [&](const char* text) {
    return std::any_of(log_tail.begin(), log_tail.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  };
  std::string text;
  if (printed("ERR_UNKNOWN_FILE_EXTENSION") && printed(".ts")) {
    text +=
        "This Node does not run TypeScript by itself: use Node 22.18 or newer (--node PATH), or\n"
        "start the compiled script.\n";
  } else if (printed("ERR_MODULE_NOT_FOUND") || printed("Cannot find module")) {
    text += "A module is missing: perhaps `npm install` was not run in the app's folder.\n";
  }
  switch (error.code) {
    case ErrorCode::kNotReady:
    case ErrorCode::kTimeout:
      break;
    default:
      return text;
  }
  text += "More of its log: slc logs " + name + "    ";
  if (ServesStill(reply)) return text + "Try again: slc ctl soft-restart " + name + "\n";
  return text + "Try again now: slc ctl restart " + name + "    Give up: slc ctl stop " + name +
         "\n";
}

void WarnAboutPort(const StartOptions& options) {
  const char* port = std::getenv("PORT");
  const bool given = std::any_of(options.given.begin(), options.given.end(),
                                 [](const auto& name) { return name == "port" || name == "env"; });
  if (port == nullptr || port[0] == '\0' || given) return;
  Remark("slc: PORT=" + Printable(port) +
         " of your shell is not passed on; to set it: slc start --port " + Printable(port) + "\n");
}

// A file that only slcd can read, at the descriptor it inherits.
Result<int> SpecFile(const std::string& text) {
  const int file = ::memfd_create("slc-run-spec", 0);
  if (file < 0) return SystemError("make a memory file", errno);
  if (Status written = WriteAll(file, text); !written) return written.error();
  if (::lseek(file, 0, SEEK_SET) != 0) return SystemError("rewind the memory file", errno);
  return file;
}

}  // namespace

constinit const CommandInfo kStartCommand{
    .name = "start",
    .operands = "[DIR|FILE] [-- ARGS...]",
    .most = 1,
    .summary = "Run the app of a folder, or a file, as a supervised cluster.",
    .details =
        "In a folder the script is scripts.start of package.json when that is a plain `node X` "
        "call, else\n"
        "server.js, app.js, main of package.json, index.js. The same folder again updates the "
        "service:\n"
        "options that are not given stay as they are.\n"
        "Waits until every worker is ready. Ctrl-C detaches; the start goes on.\n",
    .passes_on = true,
    .here_only =
        "a folder of this machine means nothing there; an app is brought there by: slc "
        "deploy URL",
    .plan = PlanStart,
};

constinit const CommandInfo kRunCommand{
    .name = "run",
    .operands = "[DIR|FILE] [-- ARGS...]",
    .most = 1,
    .summary = "The same in the foreground, for containers.",
    .details =
        "Logs go to standard output; `slc ctl` works beside it. SIGTERM and SIGINT drain and end "
        "it with\n"
        "exit code 0, SIGHUP is a soft-restart. The app gets the whole environment of this "
        "command, and\n"
        "PORT of it if that is set.\n",
    .passes_on = true,
    .here_only = "it runs an app in this terminal; one is brought there by: slc deploy URL",
    .plan = PlanRun,
};

int Run(const StartOptions& options) {
  auto request = Prepare(options, false);
  if (!request) {
    return ReportError(options.json ? request.error() : request.error().During("cannot start"),
                       options.json);
  }
  const std::string name = request->spec.name;
  if (!options.json) {
    Print(Chosen(request->spec));
    WarnAboutPort(options);
  }
  WorkerLines workers(!options.json);
  Question question;
  question.when_absent = WhenAbsent::kStart;
  question.body = *request;
  question.wait = options.wait;
  question.doing = "starting " + name;
  question.service = name;
  question.quiet = options.json;
  question.on_progress = [&](const Progress& progress) { workers.On(progress); };
  const Answer answer = Ask(question);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    // slcd may know this folder under another name than its package's.
    const ServiceView* known = OnlyService(answer.reply);
    const std::string own = known != nullptr ? known->name : name;
    const int code = ReportFailure(answer, "start " + own, own, options.json);
    if (!options.json && answer.reply.error) Remark(Remedy(answer.reply, own));
    return code;
  }
  if (options.json) {
    Print(DoneJson(answer.reply, answer.took));
    return kDone;
  }
  const ServiceView* view = OnlyService(answer.reply);
  if (view != nullptr && options.wait) workers.Complete(*view);
  std::string text;
  for (const std::string& note : answer.reply.notes) text += "  " + Printable(note) + "\n";
  if (!options.wait) {
    text += Printable(name) + " is starting\n";
  } else if (view != nullptr) {
    text += Summary(*view);
  }
  Print(text + NextSteps(Printable(view != nullptr ? view->name : name)));
  return kDone;
}

int Run(const RunOptions& options) {
  auto request = Prepare(options.start, true);
  if (!request) return ReportError(request.error().During("cannot run"), false);
  auto program = DaemonProgram();
  if (!program) {
    Complain(program.error().message);
    return kNoDaemon;
  }
  // Standard output belongs to the app's log.
  Remark(Chosen(request->spec));
  auto file = SpecFile(EncodeRequest(Request{NewRequestId(), true, *request}));
  if (!file) return ReportError(file.error().During("cannot run " + request->spec.name), false);
  std::string number = std::to_string(*file);
  std::string arguments[] = {"slcd", "--run", "--run-spec", number};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), nullptr};
  ::execv(program->c_str(), argv);
  Complain("cannot execute " + *program + ": " + std::strerror(errno));
  return kNoDaemon;
}

}  // namespace slc::ctl
