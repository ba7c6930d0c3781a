// slc ctl cpu-start, cpu-stop, heap-snapshot, objects-start, objects-stop, dbg-start, dbg-stop:
// looks into a worker.
#include <poll.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/text.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/conversation.h"
#include "ctl/inspect/fetch.h"
#include "ctl/inspect/growth.h"
#include "ctl/inspect/worker_name.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/remote/remote_server.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

// Counts of all classes of an app; each takes some 100 bytes.
constexpr std::size_t kMostCounts = 64U << 20;
constexpr std::size_t kMostClassesShown = 20;

Status TakeWorker(InspectOptions& options, const Words& operands) {
  options.worker = operands[0];
  if (options.worker.empty()) return Refusal("WRK must not be empty");
  if (operands.size() == 1) return Ok();
  options.name = operands[1];
  return options.name.empty() ? Status(Refusal("NAME must not be empty")) : Ok();
}

Status TakeCpuStart(InspectOptions& options, const Words& operands) {
  if (operands.size() > 1) {
    return Refusal(
        "TIMEOUT and STALLS (a profile of stalls only) are not supported yet; without "
        "them the profile begins at once");
  }
  return TakeWorker(options, operands);
}

void AddTimeout(Verb<InspectOptions>& verb) {
  InspectOptions& value = verb.value();
  verb.options().Value("--timeout", "TIME", "Give up when nothing comes for so long (2m).",
                       [&value](const std::string& text) -> Status {
                         const auto span = ToDuration(text, 100);
                         if (!span) return span.error();
                         value.patience = *span;
                         return Ok();
                       });
}

template <Inspection what>
Plan PlanInspect(const Surroundings& around) {
  Verb<InspectOptions> verb(around);
  verb.value().what = what;
  if (HasResult(what)) AddTimeout(verb);
  return std::move(verb).Make(TakeWorker);
}

Plan PlanCpuStart(const Surroundings& around) {
  Verb<InspectOptions> verb(around);
  InspectOptions& value = verb.value();
  value.what = Inspection::kCpuStart;
  verb.options().Value("--interval", "US", "Microseconds between two samples (1000).",
                       [&value](const std::string& text) -> Status {
                         const auto number =
                             ToNumber(text, kLeastSamplingInterval, kMostSamplingInterval,
                                      "a number from 50 to 100000");
                         if (!number) return number.error();
                         value.interval = static_cast<std::uint32_t>(*number);
                         return Ok();
                       });
  return std::move(verb).Make(TakeCpuStart);
}

const char* EndingOf(Inspection what) {
  return what == Inspection::kCpuStop ? ".cpuprofile" : ".heapsnapshot";
}

std::string FileOf(const InspectOptions& options) {
  const std::string name = options.name.empty() ? "node." + options.worker : options.name;
  const char* ending = EndingOf(options.what);
  return EndsWith(name, ending) ? name : name + ending;
}

bool MakesFile(Inspection what) {
  return what == Inspection::kCpuStop || what == Inspection::kHeapSnapshot;
}

// Who can run code in the worker now.
std::string DebuggerRemark(const InspectOptions& options, const Inspected& done) {
  const std::string close = "slc ctl dbg-stop " + Printable(options.worker);
  const std::string where =
      Printable(DebuggerAddress(done.host.empty() ? "127.0.0.1" : done.host, done.port));
  if (IsOpenToOthers(done.host)) {
    return "WARNING: it is open to whoever can reach " + where +
           ", where the app itself has opened it (--inspect); to close it: " + close;
  }
  return std::string("it is open to every user of ") +
         (IsRemote(options.control) ? "that" : "this") + " machine, on " + where +
         ", until: " + close;
}

// What the command prints, and what it has to say beside that.
void Tell(const InspectOptions& options, const Inspected& done) {
  const std::string worker = "worker " + std::to_string(done.worker.worker);
  switch (options.what) {
    case Inspection::kCpuStart:
      return Print("Profiler started, use cpu-stop to get profile\n");
    case Inspection::kCpuStop:
      return Print("CPU profile written to `" + Printable(done.file) +
                   "`, load into Chrome Dev Tools\n");
    case Inspection::kHeapSnapshot:
      return Print("Heap snapshot written to `" + Printable(done.file) +
                   "`, load into Chrome Dev Tools\n");
    case Inspection::kObjectsStart:
      return Remark("slc: counted " + std::to_string(done.objects->objects) + " objects; " +
                    worker + " stood still for " + TookText(done.objects->paused) + "\n");
    case Inspection::kObjectsStop:
      Print(GrowthText(*done.objects, kMostClassesShown));
      return Remark("slc: " + worker + " stood still for " + TookText(done.objects->paused) + "\n");
    case Inspection::kDebugStart:
      Print("Debugger listening on port " + std::to_string(done.port) + ".\n");
      return Remark("slc: " + DebuggerRemark(options, done) + "\n");
    case Inspection::kDebugStop:
      return Print("Debugger was disabled.\n");
  }
}

// A slcd that has just started learns of the workers there are within a tenth of a second.
Answer LookUntilAdopted(const InspectOptions& options) {
  constexpr Millis kPatience = 5000;
  constexpr int kAgain = 50;
  const Millis deadline = BootNow() + kPatience;
  while (true) {
    Answer looked = Look(options.control, GetStatus{});
    const std::vector<ServiceView>& services = Services(looked.reply);
    const bool known = !IsGood(looked) || FindWorker(services, options.worker) ||
                       std::none_of(services.begin(), services.end(), [](const auto& service) {
                         return service.state == "adopting";
                       });
    if (known || BootNow() >= deadline) return looked;
    ::poll(nullptr, 0, kAgain);
  }
}

// Takes the result from its stream.
Status Take(const InspectOptions& options, Channel& channel, Inspected& done) {
  const StreamSource stream = [&](Millis limit) -> Result<std::optional<std::string_view>> {
    auto piece = channel.ReadPiece(limit);
    if (!piece) return piece.error();
    if (!*piece) return std::optional<std::string_view>();
    return std::optional<std::string_view>((*piece)->data);
  };
  const FetchHow how{std::string(Name(options.what)) + " " + Printable(options.worker),
                     options.patience, options.control.json};
  if (MakesFile(options.what)) {
    done.file = FileOf(options);
    auto size = FetchFile(stream, done.file, how);
    if (!size) return size.error();
    done.bytes = *size;
    return Ok();
  }
  auto text = FetchText(stream, kMostCounts, how);
  if (!text) return text.error();
  auto growth = ReadGrowth(*text);
  if (!growth) return growth.error();
  done.objects = std::move(*growth);
  done.ended = options.what == Inspection::kObjectsStop;
  return Ok();
}

}  // namespace

constinit const CommandInfo kCpuStartCommand{
    .name = "cpu-start",
    .operands = "WRK [TIMEOUT [STALLS]]",
    .least = 1,
    .most = 3,
    .summary = "Begin a CPU profile of a worker.",
    .details =
        "WRK is the ID, PID or WID of a worker, as `slc ctl status` shows them, or SVC.WID.\n"
        "It costs some 10 % of the worker's CPU, and is ended by itself after two million samples\n"
        "(33 minutes); cpu-stop then gets those. TIMEOUT and STALLS are not supported yet.\n",
    .plan = PlanCpuStart,
};

constinit const CommandInfo kCpuStopCommand{
    .name = "cpu-stop",
    .operands = "WRK [NAME]",
    .least = 1,
    .most = 2,
    .summary = "End it and write it to NAME.cpuprofile.",
    .details = "Without a NAME it is node.WRK.cpuprofile, for Chrome DevTools or speedscope.\n",
    .plan = PlanInspect<Inspection::kCpuStop>,
};

constinit const CommandInfo kHeapSnapshotCommand{
    .name = "heap-snapshot",
    .operands = "WRK [NAME]",
    .least = 1,
    .most = 2,
    .summary = "Write a snapshot of a worker's heap to NAME.heapsnapshot.",
    .details =
        "The worker stands still meanwhile, 5 to 9 s per million objects, and needs up to 20 times "
        "the\nmemory of its heap; others serve. What it has in memory is in the file: keys, "
        "passwords.\n",
    .plan = PlanInspect<Inspection::kHeapSnapshot>,
};

constinit const CommandInfo kObjectsStartCommand{
    .name = "objects-start",
    .operands = "WRK",
    .least = 1,
    .most = 1,
    .summary = "Count a worker's objects by class.",
    .details = "The worker stands still while they are counted, about a second per million.\n",
    .plan = PlanInspect<Inspection::kObjectsStart>,
};

constinit const CommandInfo kObjectsStopCommand{
    .name = "objects-stop",
    .operands = "WRK",
    .least = 1,
    .most = 1,
    .summary = "Count them again and show which classes grew.",
    .plan = PlanInspect<Inspection::kObjectsStop>,
};

constinit const CommandInfo kDebugStartCommand{
    .name = "dbg-start",
    .operands = "WRK",
    .least = 1,
    .most = 1,
    .summary = "Open a worker's debugger on a port of 127.0.0.1.",
    .details =
        "For chrome://inspect or node inspect. Every user of this machine can run code in the "
        "worker\n"
        "through it, until dbg-stop or the worker's end.\n",
    .plan = PlanInspect<Inspection::kDebugStart>,
};

constinit const CommandInfo kDebugStopCommand{
    .name = "dbg-stop",
    .operands = "WRK",
    .least = 1,
    .most = 1,
    .summary = "Close it.",
    .plan = PlanInspect<Inspection::kDebugStop>,
};

int Run(const InspectOptions& options) {
  const std::string verb = Name(options.what);
  const std::string what = verb + " " + options.worker;
  const Answer looked = LookUntilAdopted(options);
  const bool empty = looked.kind == Answer::Kind::kNoServices;
  if (!IsGood(looked) && !empty) return ReportFailure(looked, what, "", options.control.json);
  const auto worker = FindWorker(Services(looked.reply), options.worker);
  if (!worker) return ReportError(worker.error().During("cannot " + what), options.control.json);
  if (MakesFile(options.what)) {
    if (Status can = CanFetchTo(FileOf(options)); !can) {
      return ReportError(can.error().During("cannot " + what + " (nothing was done)"),
                         options.control.json);
    }
  }
  Question question;
  question.control = options.control;
  question.body = InspectWorker{std::to_string(worker->service), worker->worker, options.what,
                                options.interval};
  question.doing = what;
  question.quiet = options.control.json;
  const Millis began = BootNow();
  Answer answer = Ask(question);
  if (answer.kind == Answer::Kind::kDetached && HasResult(options.what)) {
    // Nothing goes on that could be looked at.
    const Error error{ErrorCode::kCancelled,
                      "interrupted; what the worker shows for this is thrown away"};
    ReportError(error.During("cannot " + what), options.control.json);
    return ExitCodeOf(answer);
  }
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    return ReportFailure(answer, what, worker->service_name, options.control.json);
  }
  Inspected done;
  done.worker = *worker;
  if (const auto* reply = std::get_if<InspectionReply>(&answer.reply.data)) {
    done.port = options.what == Inspection::kDebugStart ? reply->debugger_port : 0;
    done.host = reply->debugger_host;
  }
  if (HasResult(options.what)) {
    const bool comes = answer.channel && answer.channel->streams() == 1;
    const Status taken =
        comes ? Take(options, *answer.channel, done)
              : Error{ErrorCode::kProtocol, "slcd has not sent what the result comes on"};
    if (!taken) {
      return ReportError(taken.error().During("cannot " + what), options.control.json);
    }
  }
  done.took = BootNow() - began;
  if (options.control.json) {
    Print(InspectedJson(done));
  } else {
    Tell(options, done);
  }
  return kDone;
}

}  // namespace slc::ctl
