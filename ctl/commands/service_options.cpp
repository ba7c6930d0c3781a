#include "ctl/commands/service_options.h"

#include <set>
#include <utility>

#include "common/base/cron.h"
#include "common/base/text.h"
#include "common/base/zone_files.h"
#include "common/model/listen_address.h"
#include "common/model/shell_words.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

// Declares options and notes which of them were given.
class Declarer {
 public:
  Declarer(OptionParser& options, StartOptions& start) : options_(options), start_(start) {}

  void Value(const char* name, const char* kind, const char* help, OptionParser::Take take) {
    options_.Value(std::string("--") + name, kind, help, Noting(name, std::move(take)));
  }
  void Values(const char* name, const char* kind, const char* help, OptionParser::Take take) {
    options_.Values(std::string("--") + name, kind, help, Noting(name, std::move(take)));
  }
  void Text(const char* name, const char* kind, const char* help, std::string& target) {
    Value(name, kind, help, [&target](const std::string& text) -> Status {
      if (text.empty()) return Refusal("must not be empty");
      target = text;
      return Ok();
    });
  }
  void Duration(const char* name, const char* help, Millis least, Millis& target) {
    Value(name, "TIME", help, [least, &target](const std::string& text) -> Status {
      const auto value = ToDuration(text, least);
      if (!value) return value.error();
      target = *value;
      return Ok();
    });
  }
  // none, or an amount of bytes.
  void Size(const char* name, const char* help, const char* what, std::uint64_t& target) {
    Value(name, "SIZE", help, [what, &target](const std::string& text) -> Status {
      target = 0;
      if (text == "none") return Ok();
      const auto bytes = ToBytes(text, what);
      if (!bytes) return bytes.error();
      target = *bytes;
      return Ok();
    });
  }
  template <typename T>
  void Choice(const char* name, const char* kind, const char* help, const char* choices,
              std::optional<T> (*parse)(const std::string&), T& target) {
    Value(name, kind, help, [choices, parse, &target](const std::string& text) -> Status {
      const auto found = parse(text);
      if (!found) return Refusal("'" + Printable(text) + "' is none of " + choices);
      target = *found;
      return Ok();
    });
  }
  // `noted`: the name that it is noted under.
  template <typename T>
  void Flag(const char* name, const char* help, const char* noted, T& target, T value) {
    options_.Flag(std::string("--") + name, help, [&given = start_.given, noted, &target, value] {
      target = value;
      given.emplace_back(noted);
    });
  }

 private:
  OptionParser::Take Noting(const char* name, OptionParser::Take take) {
    return [&given = start_.given, name, take = std::move(take)](const std::string& text) {
      Status taken = take(text);
      if (taken) given.emplace_back(name);
      return taken;
    };
  }

  OptionParser& options_;
  StartOptions& start_;
};

void AddBasics(Declarer& declare, StartOptions& start) {
  ServiceSpec& spec = start.spec;
  declare.Value("name", "NAME", "Name of the service; else that of package.json or the folder.",
                [&spec](const std::string& text) -> Status {
                  if (Status good = CheckServiceName(text); !good) return good;
                  spec.name = text;
                  return Ok();
                });
  declare.Value("size", "N|cpu", "Number of workers, 0 to 1024; else one per CPU.",
                [&start](const std::string& text) -> Status {
                  const auto size = ParseSize(text);
                  if (!size) return size.error();
                  start.size = *size;
                  return Ok();
                });
  declare.Value("port", "PORT", "PORT for the workers; else 3000 + id of the service.",
                [&spec](const std::string& text) -> Status {
                  spec.port.reset();
                  if (text == "default") return Ok();
                  const auto port = ToPort(text);
                  if (!port) return port.error();
                  spec.port = *port;
                  return Ok();
                });
  declare.Values("listen", "[NAME=]ADDR:PORT|PATH",
                 "Bound by slc and handed to the workers; as often as needed.",
                 [&spec](const std::string& text) -> Status {
                   if (text == "none") {
                     spec.listen.clear();
                     return Ok();
                   }
                   const auto address = ParseListenAddress(text);
                   if (!address) return address.error();
                   spec.listen.push_back(text);
                   return Ok();
                 });
  declare.Choice("balance", "HOW",
                 "How connections reach the workers: rr, sticky, slots or shared.",
                 "rr, sticky, slots, shared", &BalanceFromName, spec.balance);
  declare.Values("env", "K=V", "An environment variable; as often as needed.",
                 [&spec](const std::string& text) -> Status {
                   const auto assignment = ParseAssignment(text);
                   if (!assignment) return assignment.error();
                   const auto& [name, value] = *assignment;
                   if (Status good = CheckVariable(name, value); !good) return good;
                   spec.environment[name] = value;
                   return Ok();
                 });
  declare.Text("cwd", "DIR", "Working directory of the workers; else the app's folder.", spec.cwd);
  declare.Text("node", "PATH", "The node binary; else the one of PATH.", spec.node);
  declare.Values("node-args", "ARGS", "Options for node, or for the interpreter.",
                 [&spec](const std::string& text) -> Status {
                   const auto words = SplitWords(text);
                   if (!words) return Refusal("cannot be cut into words: " + Printable(text));
                   auto& target = spec.node_arguments;
                   target.insert(target.end(), words->begin(), words->end());
                   return Ok();
                 });
  declare.Text("interpreter", "PROGRAM", "What runs FILE, for example python3.", spec.interpreter);
}

void AddLifeCycle(Declarer& declare, ServiceSpec& spec) {
  declare.Choice("ready", "HOW", "What tells that a worker serves: listening, message or alive.",
                 "listening, message, alive", &ReadinessFromName, spec.readiness);
  declare.Flag("wait-ready", "The same as --ready message.", "ready", spec.readiness,
               Readiness::kMessage);
  declare.Duration("ready-timeout", "How long a worker may take to be ready (30s).", 100,
                   spec.ready_timeout);
  declare.Duration("drain-timeout", "How long connections may take to end (10s).", 0,
                   spec.drain_timeout);
  declare.Duration("drain-linger", "How long a draining worker keeps idle ones (500ms).", 0,
                   spec.drain_linger);
  declare.Value("stop-signal", "SIGNAL", "What asks a worker to end (SIGTERM).",
                [&spec](const std::string& text) -> Status {
                  const auto signal = SignalFromName(text);
                  if (!signal) return Refusal("there is no signal '" + Printable(text) + "'");
                  spec.stop_signal = SignalName(*signal);
                  return Ok();
                });
  declare.Duration("stop-timeout", "How long it may take before it is killed (5s).", 0,
                   spec.stop_timeout);
  declare.Choice("restart", "WHEN", "Start ended workers anew: always, on-failure or never.",
                 "always, on-failure, never", &RestartPolicyFromName, spec.restart);
  declare.Duration("min-uptime", "A shorter life is a failure and backs off (10s).", 0,
                   spec.min_uptime);
  declare.Flag("no-agent", "Preload nothing into the app; drain by Node's own means.", "no-agent",
               spec.agent, false);
  declare.Flag("agent", "Preload the agent again.", "no-agent", spec.agent, true);
  declare.Text("run-as", "USER[:GROUP]", "The workers' user; only for root.", spec.run_as);
}

void AddLimits(Declarer& declare, ServiceSpec& spec) {
  declare.Value("max-restarts", "N", "Failures in a row after which it is given up (none).",
                [&spec](const std::string& text) -> Status {
                  spec.max_restarts.reset();
                  if (text == "none") return Ok();
                  const auto number = ToNumber(text, 0, 1'000'000, "none or a number from 0");
                  if (!number) return number.error();
                  spec.max_restarts = static_cast<std::uint32_t>(*number);
                  return Ok();
                });
  WorkerLimits& limits = spec.limits;
  declare.Size("max-memory", "A worker beyond it is replaced, the successor first.",
               "amount of memory", limits.max_memory);
  declare.Value("hang-timeout", "TIME", "A worker whose event loop stands still is replaced.",
                [&limits](const std::string& text) -> Status {
                  limits.hang_timeout = 0;
                  if (text == "none") return Ok();
                  const auto value = ToDuration(text, 1000);
                  if (!value) return value.error();
                  limits.hang_timeout = *value;
                  return Ok();
                });
  declare.Value("nofile", "N", "Files and connections that a worker may have open.",
                [&limits](const std::string& text) -> Status {
                  limits.open_files = 0;
                  if (text == "none") return Ok();
                  const auto number = ToNumber(text, 64, 1 << 30, "none or a number from 64");
                  if (!number) return number.error();
                  limits.open_files = static_cast<std::uint64_t>(*number);
                  return Ok();
                });
  declare.Value("nice", "N", "Niceness of the workers, -20 to 19.",
                [&limits](const std::string& text) -> Status {
                  limits.nice.reset();
                  if (text == "none") return Ok();
                  const auto number = ToNumber(text, -20, 19, "none or a number from -20 to 19");
                  if (!number) return number.error();
                  limits.nice = static_cast<int>(*number);
                  return Ok();
                });
  declare.Value("cpus", "N", "CPUs that the workers may use together, as 1.5.",
                [&limits](const std::string& text) -> Status {
                  limits.cpu_millis = 0;
                  if (text == "none") return Ok();
                  const auto millis = ParseCpus(text);
                  if (!millis) return Refusal(millis.error().message);
                  limits.cpu_millis = *millis;
                  return Ok();
                });
}

void AddRestarts(Declarer& declare, ServiceSpec& spec) {
  declare.Flag("spare", "One more worker waits, booted, to take the place of one that ends.",
               "spare", spec.spare, true);
  declare.Flag("no-spare", "No such worker.", "spare", spec.spare, false);
  declare.Flag("no-compile-cache", "Node compiles anew in each worker.", "compile-cache",
               spec.compile_cache, false);
  declare.Flag("compile-cache", "Node keeps compiled code, where it can.", "compile-cache",
               spec.compile_cache, true);
  declare.Value("keep", "N", "Releases that are kept (5).",
                [&spec](const std::string& text) -> Status {
                  const auto number = ToNumber(text, 1, kMostKept, "a number from 1 to 1000");
                  if (!number) return number.error();
                  spec.releases.keep = static_cast<std::uint32_t>(*number);
                  return Ok();
                });
  declare.Value("canary-time", "TIME",
                "The first worker of a release serves so long before the others follow (10s).",
                [&spec](const std::string& text) -> Status {
                  const auto span = ToDuration(text, 0);
                  if (!span) return span.error();
                  if (*span > kLongestCanary) return Refusal("an hour at most");
                  spec.releases.canary_time = *span;
                  return Ok();
                });
  declare.Value("health", "PATH", "It must answer well to this meanwhile: /healthz; none.",
                [&spec](const std::string& text) -> Status {
                  spec.releases.health = text == "none" ? "" : text;
                  return text == "none" ? Ok() : CheckHealthPath(text);
                });
  declare.Value("restart-at", "CRON", "Soft-restart at these times: '0 4 * * *'.",
                [&spec](const std::string& text) -> Status {
                  spec.restart_at.clear();
                  if (text == "none") return Ok();
                  const auto schedule = CronSchedule::Parse(text);
                  if (!schedule) return Refusal(schedule.error().message);
                  if (!schedule->zone().empty()) {
                    const auto zone = LoadTimeZone(schedule->zone());
                    if (!zone) return Refusal(zone.error().message);
                  }
                  spec.restart_at = text;
                  return Ok();
                });
  declare.Flag("watch", "Soft-restart when a file changes, for development.", "watch", spec.watch,
               true);
  declare.Values("watch-only", "GLOB", "The same, for these files; as often as needed.",
                 [&spec](const std::string& text) -> Status {
                   if (text.empty()) return Refusal("must not be empty");
                   spec.watch = true;
                   spec.watch_only.push_back(text);
                   return Ok();
                 });
  declare.Flag("watch-restart", "The same, by a restart.", "watch", spec.watch_restart, true);
  declare.Flag("no-watch", "Files are not watched.", "watch", spec.watch, false);
}

void AddLogs(Declarer& declare, ServiceSpec& spec) {
  declare.Choice("log-format", "HOW", "text, json or raw.", "text, json, raw", &LogFormatFromName,
                 spec.log_format);
  declare.Value("log-size", "BYTES", "A log file is rotated at this size (10M).",
                [&spec](const std::string& text) -> Status {
                  const auto bytes = ToBytes(text, "size of a file");
                  if (!bytes) return bytes.error();
                  spec.log_file_bytes = *bytes;
                  return Ok();
                });
  declare.Value("log-files", "N", "Log files kept, 1 to 1000 (10).",
                [&spec](const std::string& text) -> Status {
                  const auto number = ToNumber(text, 1, 1000, "a number from 1 to 1000");
                  if (!number) return number.error();
                  spec.log_files = static_cast<std::uint32_t>(*number);
                  return Ok();
                });
  declare.Size("log-rate", "What is logged in a second at most; the rest is dropped and counted.",
               "amount of bytes", spec.limits.log_rate);
}

}  // namespace

void AddServiceOptions(OptionParser& options, StartOptions& start) {
  Declarer declare(options, start);
  AddBasics(declare, start);
  AddLifeCycle(declare, start.spec);
  AddLimits(declare, start.spec);
  AddRestarts(declare, start.spec);
  AddLogs(declare, start.spec);
}

Status TakeTarget(StartOptions& start, const Words& operands, const Words& behind) {
  if (!operands.empty()) {
    if (operands[0].empty()) return Refusal("DIR|FILE must not be empty");
    start.target = operands[0];
  }
  if (start.spec.watch_restart) start.spec.watch = true;
  if (!behind.empty()) {
    start.spec.arguments = behind;
    start.given.emplace_back("arguments");
  }
  // An option given twice counts once.
  std::set<std::string> seen;
  std::erase_if(start.given, [&](const std::string& name) { return !seen.insert(name).second; });
  return Ok();
}

}  // namespace slc::ctl
