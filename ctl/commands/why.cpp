// slc why: asks slcd how the service is, and reads the journal, the log and the app's folder.
#include <algorithm>
#include <utility>

#include "common/base/process.h"
#include "common/base/text.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/journal/reader.h"
#include "ctl/json_output.h"
#include "ctl/logs/stream_reader.h"
#include "ctl/output.h"
#include "ctl/remote/print_there.h"
#include "ctl/remote/remote_server.h"
#include "ctl/why/diagnosis.h"
#include "ctl/why/records.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kRecords = 2000;  // some days of a service that is not well
constexpr std::size_t kTail = 12;       // a stack trace of Node and what was said before it

Plan PlanWhy(const Surroundings& around) {
  return Verb<WhyOptions>(around).Make(TakeService<WhyOptions>);
}

// What slcd has printed before it ended stands on lines of its own.
std::string OneLine(const std::string& text) {
  std::vector<std::string> parts;
  for (const std::string_view line : Split(text, '\n')) {
    if (!Trim(line).empty()) parts.emplace_back(Trim(line));
  }
  return Join(parts, "; ");
}

std::string WhyNoView(const Answer& answer) {
  if (answer.kind == Answer::Kind::kNoServices) return "no services exist in " + answer.place;
  const bool replied = answer.kind == Answer::Kind::kReply && answer.reply.error;
  return OneLine(replied ? answer.reply.error->message : answer.error.message);
}

struct Tail {
  std::vector<std::string> lines;
  std::string note;
};

// The last lines on one stream that bear the worker's pid.
std::vector<std::string> LinesOf(const std::string& directory, LogStream stream,
                                 const JournalRecord& end, bool& named) {
  LogStreamReader reader(directory, stream);
  if (!reader.StartAtEnd()) return {};
  LastLinesQuery query;
  query.count = kTail;
  // A pid is used again, so only of its lifetime; the log is written a little later than the end.
  constexpr Millis kLate = 2000;
  const Millis born = end.took ? end.time - *end.took - kLate : 0;
  query.since = std::max<Millis>(0, born);
  query.wanted = [&](const LogLine& line) {
    const LogFields fields = ParseLogLine(line.text);
    if (!fields.pid || !fields.time) return false;
    named = true;
    const bool blank = Trim(fields.text).empty();
    return *fields.pid == end.pid && *fields.time <= end.time + kLate && !blank;
  };
  std::vector<std::string> lines;
  for (const LogLine& line : reader.Last(query)) lines.push_back(ParseLogLine(line.text).text);
  return lines;
}

Tail TailOf(const std::string& directory, const std::optional<JournalRecord>& end) {
  if (!end || end->worker == 0 || end->pid == 0 || directory.empty()) return {};
  bool named = false;
  Tail tail{LinesOf(directory, LogStream::kErr, *end, named), "on standard error"};
  if (tail.lines.empty()) {
    tail = Tail{LinesOf(directory, LogStream::kOut, *end, named), "on standard output"};
  }
  if (!tail.lines.empty()) return tail;
  return Tail{{},
              named ? "it printed nothing"
                    : "not known: " + directory + " has no lines that name their process"};
}

// Who holds the port of a service that is not up, if it is none of its own.
std::optional<PortHolder> HolderFor(const ServiceView& view) {
  if (!view.port) return std::nullopt;
  auto holder = FindPortHolder(static_cast<std::uint16_t>(*view.port));
  if (!holder) return std::nullopt;
  const bool own = std::any_of(view.processes.begin(), view.processes.end(),
                               [&](const ProcessView& each) { return each.pid == holder->pid; });
  return own ? std::nullopt : holder;
}

}  // namespace

constinit const CommandInfo kWhyCommand{
    .name = "why",
    .elsewhere = "explain",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "Why a service is not up, or why its last worker ended.",
    .plan = PlanWhy,
};

int Run(const WhyOptions& options) {
  if (IsRemote(options.control)) {
    PrintLook look;
    look.look = PrintedLook::kWhy;
    look.service = options.service;
    look.json = options.control.json;
    return PrintThere(options.control, std::move(look), "tell why of " + options.service);
  }
  Symptoms symptoms;
  symptoms.service = options.service;
  symptoms.now = WallNow();
  const Answer answer = Look(options.control, GetStatus{options.service});
  if (const ServiceView* view = IsGood(answer) ? OnlyService(answer.reply) : nullptr) {
    symptoms.view = *view;
    if (view->name != "?") symptoms.service = view->name;
  }
  const auto home = HomeOf(options.control);
  if (home) {
    const std::string id = symptoms.view ? std::to_string(symptoms.view->id) : options.service;
    JournalReader reader(*home);
    // An id alone is looked for in every record.
    const bool named = ParseInteger(symptoms.service, 1, UINT32_MAX) == std::nullopt;
    auto records = reader.Last(
        kRecords,
        [&](const JournalRecord& record) {
          return record.service == symptoms.service ||
                 (record.id != 0 && std::to_string(record.id) == id);
        },
        named ? "\"service\":\"" + symptoms.service + "\"" : "");
    // Another service may have borne the name before.
    if (records) {
      symptoms.records = OfOneService(*records, symptoms.view ? symptoms.view->id : 0);
    }
  }
  // The journal tells even of a service that was removed, or while slcd cannot be had.
  if (!symptoms.view && symptoms.records.empty()) {
    return ReportFailure(answer, "tell why of " + options.service, options.service,
                         options.control.json);
  }
  std::string logs;
  if (symptoms.view) {
    logs = symptoms.view->log_directory;
    if (!symptoms.view->directory.empty()) {
      symptoms.code = ReadCodeFacts(symptoms.view->directory, symptoms.view->script);
    }
    symptoms.holder = HolderFor(*symptoms.view);
  } else {
    symptoms.no_view = WhyNoView(answer);
    if (home) logs = *home + "/logs/" + symptoms.service;
  }
  const Diagnosis diagnosis = Diagnose(symptoms);
  const Tail tail = TailOf(logs, diagnosis.last_end);
  if (options.control.json) {
    Print(WhyJson(symptoms.service, diagnosis, tail.lines));
  } else {
    Print(DiagnosisText(diagnosis, symptoms.now, tail.lines, tail.note));
  }
  return answer.kind == Answer::Kind::kNoDaemon ? ExitCodeOf(answer) : kDone;
}

}  // namespace slc::ctl
