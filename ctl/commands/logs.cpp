// slc logs, slc ctl log-dump: from a service's name or id to the folder of its logs, which are
// read here and not by slcd.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/files.h"
#include "common/base/text.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/conversation.h"
#include "ctl/logs/dump.h"
#include "ctl/logs/pattern.h"
#include "ctl/logs/show.h"
#include "ctl/output.h"
#include "ctl/remote/print_there.h"
#include "ctl/remote/remote_server.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

Plan PlanLogs(const Surroundings& around) {
  Verb<LogsQuery> verb(around);
  OptionParser& options = verb.options();
  LogsQuery& query = verb.value();
  options.Flag("-f,--follow", "Go on with what is logged from now on.", query.follow);
  options.Value("-n,--lines", "N", "The last N lines.",
                [&query](const std::string& text) -> Status {
                  const auto number = ToNumber(text, 0, 1LL << 40, "a number of lines");
                  if (!number) return number.error();
                  query.lines = static_cast<std::size_t>(*number);
                  return Ok();
                });
  options.Value("--since", "TIME", "Not older than 10m, 2h, 2026-11-22T17:16 (UTC), ...",
                [&query](const std::string& text) -> Status {
                  const auto time = ToWallTime(text);
                  if (!time) return time.error();
                  query.since = *time;
                  query.since_text = text;
                  return Ok();
                });
  options.Value("--grep", "RE", "Only lines that match this regular expression.",
                [&query](const std::string& text) -> Status {
                  const auto pattern = LinePattern::Compile(text);
                  if (!pattern) return pattern.error();
                  query.grep = text;
                  return Ok();
                });
  options.Flag("--err", "Only what was written to standard error.", query.errors_only);
  return std::move(verb).Make(TakeServiceIfAny<LogsQuery>);
}

Plan PlanLogDump(const Surroundings& around) {
  Verb<LogDumpQuery> verb(around);
  verb.options().Flag("-f,--follow", "Go on with what is logged from now on.", verb.value().follow);
  return std::move(verb).Make(TakeServiceIfAny<LogDumpQuery>);
}

bool IsFolder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Logs as they lie in the home: of a service that was removed, or when slcd cannot be asked.
std::vector<LogSource> SourcesOfHome(const Control& control, const std::string& service) {
  std::vector<LogSource> sources;
  const auto home = HomeOf(control);
  if (!home) return sources;
  const std::string logs = *home + "/logs";
  if (!service.empty()) {
    const std::string directory = logs + "/" + service;
    if (CheckServiceName(service) && IsFolder(directory)) sources.push_back({service, directory});
    return sources;
  }
  const UniqueFd folder(::open(logs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return sources;
  const auto names = ListDirectory(folder.get());
  if (!names) return sources;
  for (const std::string& name : *names) {
    const std::string directory = logs + "/" + name;
    if (IsFolder(directory)) sources.push_back({name, directory});
  }
  return sources;
}

std::string WhatIsRead(const std::string& service) {
  return "read the log" + (service.empty() ? "s" : " of " + service);
}

// Where the logs are, none if there are no services; or the exit code of why that is not known.
std::variant<std::vector<LogSource>, int> FindSources(const Control& control,
                                                      const std::string& service) {
  const Answer answer = Look(control, GetStatus{service});
  std::vector<LogSource> sources;
  bool none = answer.kind == Answer::Kind::kNoServices && service.empty();
  bool nameless = false;
  if (IsGood(answer)) {
    for (const ServiceView& view : Services(answer.reply)) {
      if (!view.log_directory.empty()) sources.push_back({view.name, view.log_directory});
    }
    none = sources.empty();
    nameless = none && !Services(answer.reply).empty();
  } else {
    sources = SourcesOfHome(control, service);
    if (!sources.empty() && answer.kind == Answer::Kind::kNoDaemon) {
      Remark("slc: " + answer.error.message + "\nslc: reading the files there are\n");
    }
  }
  if (!sources.empty()) return sources;
  if (none) {
    // Nameless: quarantined, and nobody knows what it was called.
    Remark(nameless ? "slc: the name of the service is not known, nor which logs are its own\n"
                    : "slc: no services exist, so there are no logs\n");
    return sources;
  }
  return ReportFailure(answer, WhatIsRead(service), service, control.json);
}

}  // namespace

constinit const CommandInfo kLogsCommand{
    .name = "logs",
    .elsewhere = "tail",
    .operands = "[SVC]",
    .most = 1,
    .summary = "Show and follow the logs of one or all services.",
    .details =
        "Merges workers and streams by time, rotated files included. Without -n or --since: the "
        "last 20\n"
        "lines.\n",
    .plan = PlanLogs,
};

constinit const CommandInfo kLogDumpCommand{
    .name = "log-dump",
    .operands = "[SVC]",
    .most = 1,
    .summary = "Print what was logged since the last dump, at most 1 MiB.",
    .plan = PlanLogDump,
};

int Run(const LogsQuery& options) {
  if (IsRemote(options.control)) {
    PrintLook look;
    look.look = PrintedLook::kLogs;
    look.service = options.service;
    look.json = options.control.json;
    look.follow = options.follow;
    if (options.lines)
      look.last = static_cast<std::uint32_t>(std::min<std::size_t>(*options.lines, INT32_MAX));
    look.since = options.since_text;
    look.grep = options.grep;
    look.errors_only = options.errors_only;
    return PrintThere(options.control, std::move(look), WhatIsRead(options.service));
  }
  auto found = FindSources(options.control, options.service);
  if (const int* exit_code = std::get_if<int>(&found)) return *exit_code;
  LogsOptions logs;
  logs.sources = std::get<std::vector<LogSource>>(std::move(found));
  logs.lines = options.lines;
  logs.since = options.since;
  logs.grep = options.grep;
  logs.errors_only = options.errors_only;
  logs.follow = options.follow && !logs.sources.empty();
  logs.json = options.control.json;
  logs.terminal = ::isatty(STDOUT_FILENO) == 1;
  logs.out_fd = STDOUT_FILENO;
  std::ios::sync_with_stdio(false);
  return RunLogs(logs, std::cout, std::cerr);
}

int Run(const LogDumpQuery& options) {
  if (IsRemote(options.control)) {
    PrintLook look;
    look.look = PrintedLook::kLogDump;
    look.service = options.service;
    look.json = options.control.json;
    look.follow = options.follow;
    return PrintThere(options.control, std::move(look), WhatIsRead(options.service));
  }
  auto found = FindSources(options.control, options.service);
  if (const int* exit_code = std::get_if<int>(&found)) return *exit_code;
  LogDumpOptions dump;
  dump.sources = std::get<std::vector<LogSource>>(std::move(found));
  dump.follow = options.follow && !dump.sources.empty();
  dump.json = options.control.json;
  dump.terminal = ::isatty(STDOUT_FILENO) == 1;
  dump.out_fd = STDOUT_FILENO;
  std::ios::sync_with_stdio(false);
  return RunLogDump(dump, std::cout, std::cerr);
}

}  // namespace slc::ctl
