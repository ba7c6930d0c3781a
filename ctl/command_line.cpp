#include "ctl/command_line.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/command_table.h"
#include "ctl/logs/pattern.h"
#include "ctl/shell_words.h"

namespace slc::ctl {
namespace {

using Words = std::vector<std::string>;

// The options of one command. Only the asked-for command's are built: that of all of them would
// cost every `slc ctl ls` more than its work.
class Options {
 public:
  Options() {
    app_->set_help_flag("");
    app_->allow_extras(true);  // operands, and what is wrong: we say it better
  }

  void Flag(const std::string& name, const std::string& help, bool& target) {
    app_->add_flag_function(
        name, [&target](std::int64_t) { target = true; }, help);
  }
  void Flag(const std::string& name, const std::string& help, std::function<void()> take) {
    app_->add_flag_function(
        name, [take = std::move(take)](std::int64_t) { take(); }, help);
  }
  // `take` is called once with the last value given; what it refuses is reported with the option's
  // name.
  void Value(const std::string& name, const std::string& kind, const std::string& help,
             std::function<Status(const std::string&)> take) {
    auto values = std::make_unique<Words>();
    app_->add_option(name, *values, help)
        ->type_name(kind)
        ->type_size(1)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    Keep(name, std::move(values), std::move(take));
  }
  void Text(const std::string& name, const std::string& kind, const std::string& help,
            std::string& target) {
    Value(name, kind, help, [&target](const std::string& text) {
      target = text;
      return Ok();
    });
  }
  // Once per use of the option.
  void Values(const std::string& name, const std::string& kind, const std::string& help,
              std::function<Status(const std::string&)> take) {
    auto values = std::make_unique<Words>();
    app_->add_option(name, *values, help)
        ->type_name(kind)
        ->type_size(1)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    Keep(name, std::move(values), std::move(take));
  }

  // What is no option goes to `operands`, in order.
  Status Parse(Words words, Words& operands) {
    std::reverse(words.begin(), words.end());
    try {
      app_->parse(words);
    } catch (const CLI::ArgumentMismatch& mismatch) {
      return Error{ErrorCode::kUsage, MissingValue(mismatch.what())};
    } catch (const CLI::ParseError& error) {
      return Error{ErrorCode::kUsage, Printable(error.what())};
    }
    for (const std::string& word : app_->remaining()) {
      if (word.size() < 2 || word[0] != '-') {
        operands.push_back(word);
        continue;
      }
      return Unknown(word);
    }
    for (const Taker& taker : takers_) {
      for (const std::string& value : *taker.values) {
        if (Status taken = taker.take(value); !taken) {
          return Error{ErrorCode::kUsage, taken.error().During(taker.name).message};
        }
      }
    }
    return Ok();
  }

  std::string Help() const {
    std::string text;
    for (const CLI::Option* option : app_->get_options()) {
      std::string left = "  " + option->get_name(false, true);
      if (const std::size_t comma = left.find(','); comma != std::string::npos) {
        left.insert(comma + 1, " ");
      }
      if (option->get_type_size() > 0) left += " " + option->get_type_name();
      constexpr std::size_t kColumn = 30;
      left = left.size() + 1 < kColumn ? left + std::string(kColumn - left.size(), ' ')
                                       : left + "\n" + std::string(kColumn, ' ');
      text += left + option->get_description() + "\n";
    }
    return text;
  }

 private:
  struct Taker {
    std::string name;
    std::unique_ptr<Words> values;
    std::function<Status(const std::string&)> take;
  };

  void Keep(const std::string& name, std::unique_ptr<Words> values,
            std::function<Status(const std::string&)> take) {
    takers_.push_back(Taker{name.substr(name.rfind(',') + 1), std::move(values), std::move(take)});
  }

  // "--size: 1 required TEXT missing"
  static std::string MissingValue(const std::string& text) {
    const std::string option = text.substr(0, text.find(':'));
    return "option " + Printable(option) + " needs a value";
  }

  Error Unknown(const std::string& word) const {
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> known;
    for (const CLI::Option* option : app_->get_options()) {
      for (const std::string& each : option->get_lnames()) known.push_back("--" + each);
    }
    std::string message = "unknown option '" + Printable(name) + "'";
    const std::string near = DidYouMean(name, known);
    if (!near.empty()) message += "; did you mean '" + near + "'?";
    return Error{ErrorCode::kUsage, message};
  }

  std::unique_ptr<CLI::App> app_ = std::make_unique<CLI::App>();
  std::vector<Taker> takers_;
};

// The command line of one command.
struct Input {
  const CommandInfo* command = nullptr;
  Words words;   // without the command's name
  Words behind;  // what stood after "--"
  bool help = false;
  std::string socket;  // -C in front of the verb
  bool json = false;
};

using Parsed = Result<Command>;
// Declares a command's options, and makes the command once they and the operands are read.
struct Plan {
  Options options;
  std::function<Parsed(const Words& operands)> make;
};

Error Usage(const std::string& message) { return Error{ErrorCode::kUsage, message}; }

Result<Millis> ToDuration(const std::string& text, Millis least) {
  constexpr Millis kMost = 24LL * 3600 * 1000;
  const Millis value = ParseDuration(text);
  if (value < least || value > kMost) {
    return Usage(
        "'" + Printable(text) + "' is no duration; write for example 500ms, 30s, 2m" +
        (value >= 0 && value < least ? " (" + std::to_string(least) + "ms at least)" : "") +
        (value > kMost ? " (24h at most)" : ""));
  }
  return value;
}

Result<std::uint16_t> ToPort(const std::string& text) {
  const auto port = ParseInteger(text, 1, 65535);
  if (!port) return Usage("a port is a number from 1 to 65535, not '" + Printable(text) + "'");
  return static_cast<std::uint16_t>(*port);
}

// "500k", "10M", "1G" or bytes.
Result<std::uint64_t> ToBytes(const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const auto number = ParseInteger(text.substr(0, digits), 1, 1LL << 40);
  const std::string unit = text.substr(digits);
  unsigned shift = 0;
  if (unit == "k" || unit == "K") shift = 10;
  if (unit == "M") shift = 20;
  if (unit == "G") shift = 30;
  constexpr std::uint64_t kLeast = 64U << 10;
  const std::uint64_t bytes = number ? static_cast<std::uint64_t>(*number) << shift : 0;
  if (!number || (shift == 0 && !unit.empty()) || bytes < kLeast || bytes > (1ULL << 40)) {
    return Usage("'" + Printable(text) +
                 "' is no size of a file; write for example 512k, 10M, 1G "
                 "(64k at least)");
  }
  return bytes;
}

Status CheckOperand(const std::string& operand, const char* what) {
  if (!operand.empty()) return Ok();
  return Usage(std::string(what) + " must not be empty");
}

Result<std::string> ServiceOperand(const Words& operands) {
  if (Status good = CheckOperand(operands[0], "SVC"); !good) return good.error();
  return operands[0];
}

void AddControl(Options& options, Control& control) {
  options.Text("-C,--control", "SOCKET", "Talk to the slcd at this unix socket; never start one.",
               control.socket);
  options.Flag("--json", "Print one JSON value instead of text.", control.json);
}

void AddNoWait(Options& options, bool& wait) {
  options.Flag("--no-wait", "Do not wait until it has happened.", [&wait] { wait = false; });
}

// ---- slc start, slc run

template <typename T>
std::function<Status(const std::string&)> Named(StartOptions& start, const char* name,
                                                std::optional<T> (*parse)(const std::string&),
                                                T& target, const char* choices) {
  return [&start, name, parse, &target, choices](const std::string& text) -> Status {
    const auto found = parse(text);
    if (!found) return Usage("'" + Printable(text) + "' is none of " + choices);
    target = *found;
    start.given.emplace_back(name);
    return Ok();
  };
}

void AddDuration(Options& options, StartOptions& start, const char* name, const char* help,
                 Millis least, Millis& target) {
  options.Value(std::string("--") + name, "TIME", help,
                [&start, name, least, &target](const std::string& text) -> Status {
                  const auto value = ToDuration(text, least);
                  if (!value) return value.error();
                  target = *value;
                  start.given.emplace_back(name);
                  return Ok();
                });
}

void AddText(Options& options, StartOptions& start, const char* name, const char* kind,
             const char* help, std::string& target) {
  options.Value(std::string("--") + name, kind, help,
                [&start, name, &target](const std::string& text) -> Status {
                  if (text.empty()) return Usage("must not be empty");
                  target = text;
                  start.given.emplace_back(name);
                  return Ok();
                });
}

void AddBasics(Options& options, StartOptions& start) {
  ServiceSpec& spec = start.spec;
  options.Value("--name", "NAME", "Name of the service; else that of package.json or the folder.",
                [&start](const std::string& text) -> Status {
                  if (Status good = CheckServiceName(text); !good) return good;
                  start.spec.name = text;
                  start.given.emplace_back("name");
                  return Ok();
                });
  options.Value("--size", "N|cpu", "Number of workers, 0 to 1024; else one per CPU.",
                [&start](const std::string& text) -> Status {
                  const auto size = ParseSize(text);
                  if (!size) return size.error();
                  start.size = *size;
                  start.given.emplace_back("size");
                  return Ok();
                });
  options.Value("--port", "PORT", "PORT for the workers; else 3000 + id of the service.",
                [&start](const std::string& text) -> Status {
                  start.given.emplace_back("port");
                  start.spec.port.reset();
                  if (text == "default") return Ok();
                  const auto port = ToPort(text);
                  if (!port) return port.error();
                  start.spec.port = *port;
                  return Ok();
                });
  options.Values("--env", "K=V", "An environment variable; as often as needed.",
                 [&start](const std::string& text) -> Status {
                   const auto assignment = ParseAssignment(text);
                   if (!assignment) return assignment.error();
                   const auto& [name, value] = *assignment;
                   if (Status good = CheckVariable(name, value); !good) return good;
                   start.spec.environment[name] = value;
                   start.given.emplace_back("env");
                   return Ok();
                 });
  AddText(options, start, "cwd", "DIR", "Working directory of the workers; else the app's folder.",
          spec.cwd);
  AddText(options, start, "node", "PATH", "The node binary; else the one of PATH.", spec.node);
  options.Values("--node-args", "ARGS", "Options for node, or for the interpreter.",
                 [&start](const std::string& text) -> Status {
                   const auto words = SplitWords(text);
                   if (!words) return Usage("cannot be cut into words: " + Printable(text));
                   auto& target = start.spec.node_arguments;
                   target.insert(target.end(), words->begin(), words->end());
                   start.given.emplace_back("node-args");
                   return Ok();
                 });
  AddText(options, start, "interpreter", "PROGRAM", "What runs FILE, for example python3.",
          spec.interpreter);
}

void AddLifeCycle(Options& options, StartOptions& start) {
  ServiceSpec& spec = start.spec;
  options.Value(
      "--ready", "HOW", "What tells that a worker serves: listening, message or alive.",
      Named(start, "ready", &ReadinessFromName, spec.readiness, "listening, message, alive"));
  options.Flag("--wait-ready", "The same as --ready message.", [&start] {
    start.spec.readiness = Readiness::kMessage;
    start.given.emplace_back("ready");
  });
  AddDuration(options, start, "ready-timeout", "How long a worker may take to be ready (30s).", 100,
              spec.ready_timeout);
  AddDuration(options, start, "drain-timeout", "How long connections may take to end (10s).", 0,
              spec.drain_timeout);
  AddDuration(options, start, "drain-linger", "How long a draining worker keeps idle ones (500ms).",
              0, spec.drain_linger);
  options.Value("--stop-signal", "SIGNAL", "What asks a worker to end (SIGTERM).",
                [&start](const std::string& text) -> Status {
                  const auto signal = SignalFromName(text);
                  if (!signal) return Usage("there is no signal '" + Printable(text) + "'");
                  start.spec.stop_signal = SignalName(*signal);
                  start.given.emplace_back("stop-signal");
                  return Ok();
                });
  AddDuration(options, start, "stop-timeout", "How long it may take before it is killed (5s).", 0,
              spec.stop_timeout);
  options.Value(
      "--restart", "WHEN", "Start ended workers anew: always, on-failure or never.",
      Named(start, "restart", &RestartPolicyFromName, spec.restart, "always, on-failure, never"));
  AddDuration(options, start, "min-uptime", "A shorter life is a failure and backs off (10s).", 0,
              spec.min_uptime);
  options.Flag("--no-agent", "Preload nothing into the app; drain by Node's own means.", [&start] {
    start.spec.agent = false;
    start.given.emplace_back("no-agent");
  });
  options.Flag("--agent", "Preload the agent again.", [&start] {
    start.spec.agent = true;
    start.given.emplace_back("no-agent");
  });
  AddText(options, start, "run-as", "USER[:GROUP]", "The workers' user; only for root.",
          spec.run_as);
  options.Value("--log-format", "HOW", "text, json or raw.",
                Named(start, "log-format", &LogFormatFromName, spec.log_format, "text, json, raw"));
  options.Value("--log-size", "BYTES", "A log file is rotated at this size (10M).",
                [&start](const std::string& text) -> Status {
                  const auto bytes = ToBytes(text);
                  if (!bytes) return bytes.error();
                  start.spec.log_file_bytes = *bytes;
                  start.given.emplace_back("log-size");
                  return Ok();
                });
  options.Value("--log-files", "N", "Log files kept, 1 to 1000 (10).",
                [&start](const std::string& text) -> Status {
                  const auto number = ParseInteger(text, 1, 1000);
                  if (!number)
                    return Usage("a number from 1 to 1000, not '" + Printable(text) + "'");
                  start.spec.log_files = static_cast<std::uint32_t>(*number);
                  start.given.emplace_back("log-files");
                  return Ok();
                });
}

Plan PlanStart(const Input& input) {
  Plan plan;
  auto start = std::make_shared<StartOptions>();
  AddBasics(plan.options, *start);
  AddLifeCycle(plan.options, *start);
  const bool run = input.command->id == CommandId::kRun;
  if (!run) {
    plan.options.Flag("--replace", "Take over the name from a service of another folder.",
                      start->replace);
    AddNoWait(plan.options, start->wait);
    plan.options.Flag("--json", "Print one JSON value instead of text.", start->json);
  }
  plan.make = [start, run, behind = input.behind](const Words& operands) -> Parsed {
    StartOptions& options = *start;
    if (!operands.empty()) {
      if (Status good = CheckOperand(operands[0], "DIR|FILE"); !good) return good.error();
      options.target = operands[0];
    }
    if (!behind.empty()) {
      options.spec.arguments = behind;
      options.given.emplace_back("arguments");
    }
    // An option given twice counts once.
    std::set<std::string> seen;
    std::erase_if(options.given,
                  [&](const std::string& name) { return !seen.insert(name).second; });
    if (run) return Command{RunOptions{options}};
    return Command{options};
  };
  return plan;
}

// ---- slc ctl

// Options of a verb in a struct that has `control`, filled by `make`.
template <typename T>
struct VerbPlan {
  explicit VerbPlan(const Input& input) : value(std::make_shared<T>()) {
    value->control.socket = input.socket;
    value->control.json = input.json;
    AddControl(plan.options, value->control);
  }
  // `fill` reads the operands into the struct.
  Plan Make(std::function<Status(T&, const Words&)> fill) {
    plan.make = [kept = value, fill = std::move(fill)](const Words& operands) -> Parsed {
      if (Status good = fill(*kept, operands); !good) return good.error();
      return Command{*kept};
    };
    return std::move(plan);
  }
  Plan plan;
  std::shared_ptr<T> value;
};

Status NoOperands(const Words&) { return Ok(); }

template <typename T>
Status TakeService(T& options, const Words& operands) {
  auto service = ServiceOperand(operands);
  if (!service) return service.error();
  options.service = *service;
  return Ok();
}

Plan PlanStatus(const Input& input) {
  VerbPlan<StatusOptions> verb(input);
  verb.plan.options.Flag("--wide", "More columns: uptime, restarts, CPU, memory, slot, ...",
                         verb.value->wide);
  return verb.Make([](StatusOptions& options, const Words& operands) -> Status {
    return operands.empty() ? Ok() : TakeService(options, operands);
  });
}

template <typename T>
Plan PlanPlain(const Input& input) {
  return VerbPlan<T>(input).Make([](T&, const Words& operands) { return NoOperands(operands); });
}

Plan PlanCreate(const Input& input) {
  VerbPlan<CreateOptions> verb(input);
  verb.plan.options.Value("--size", "N|cpu", "Number of workers, 0 to 1024; else one per CPU.",
                          [value = verb.value](const std::string& text) -> Status {
                            const auto size = ParseSize(text);
                            if (!size) return size.error();
                            value->size = *size;
                            return Ok();
                          });
  return verb.Make([](CreateOptions& options, const Words& operands) -> Status {
    options.name = operands[0];
    return CheckServiceName(options.name);
  });
}

Plan PlanStartService(const Input& input) {
  VerbPlan<StartServiceOptions> verb(input);
  AddNoWait(verb.plan.options, verb.value->wait);
  return verb.Make(TakeService<StartServiceOptions>);
}

Plan PlanStop(const Input& input) {
  VerbPlan<StopOptions> verb(input);
  verb.value->soft = input.command->id == CommandId::kSoftStop;
  AddNoWait(verb.plan.options, verb.value->wait);
  return verb.Make(TakeService<StopOptions>);
}

Plan PlanRestart(const Input& input) {
  VerbPlan<RestartOptions> verb(input);
  verb.value->rolling = input.command->id != CommandId::kRestart;
  if (verb.value->rolling) {
    verb.plan.options.Value(
        "--parallel", "N", "Workers replaced at a time (1).",
        [value = verb.value](const std::string& text) -> Status {
          const auto number = ParseInteger(text, 1, kMostWorkers);
          if (!number) return Usage("a number from 1 to 1024, not '" + Printable(text) + "'");
          value->parallel = static_cast<std::uint32_t>(*number);
          return Ok();
        });
  }
  AddNoWait(verb.plan.options, verb.value->wait);
  return verb.Make(TakeService<RestartOptions>);
}

Plan PlanSetSize(const Input& input) {
  VerbPlan<SetSizeOptions> verb(input);
  AddNoWait(verb.plan.options, verb.value->wait);
  return verb.Make([](SetSizeOptions& options, const Words& operands) -> Status {
    const auto size = ParseSize(operands[1]);
    if (!size) return size.error();
    options.size = *size;
    return TakeService(options, operands);
  });
}

Plan PlanEnvironmentGet(const Input& input) {
  return VerbPlan<EnvironmentGetOptions>(input).Make(
      [](EnvironmentGetOptions& options, const Words& operands) -> Status {
        options.keys.assign(operands.begin() + 1, operands.end());
        return TakeService(options, operands);
      });
}

Plan PlanEnvironmentChange(const Input& input) {
  VerbPlan<EnvironmentChangeOptions> verb(input);
  verb.plan.options.Flag("--no-restart", "Only record it; the next restart brings it to the app.",
                         [value = verb.value] { value->restart = false; });
  AddNoWait(verb.plan.options, verb.value->wait);
  const bool set = input.command->id == CommandId::kEnvironmentSet;
  return verb.Make([set](EnvironmentChangeOptions& options, const Words& operands) -> Status {
    for (std::size_t i = 1; i < operands.size(); ++i) {
      if (!set) {
        if (Status good = CheckVariable(operands[i], ""); !good) return good;
        options.unset.push_back(operands[i]);
        continue;
      }
      const auto assignment = ParseAssignment(operands[i]);
      if (!assignment) return assignment.error();
      const auto& [name, value] = *assignment;
      if (Status good = CheckVariable(name, value); !good) return good;
      options.set[name] = value;
    }
    return TakeService(options, operands);
  });
}

// "10m" ago, or a time in UTC.
Result<Millis> ToWallTime(const std::string& text) {
  const Millis time = ParseIso(text);
  if (time > 0) return time;
  const bool has_unit = !text.empty() && (text.back() < '0' || text.back() > '9');
  const Millis ago = has_unit ? ParseDuration(text) : -1;
  if (ago < 0) {
    return Usage("'" + Printable(text) +
                 "' is no time; write for example 10m, 2h, 2026-11-22 or 2026-11-22T17:16 (UTC)");
  }
  return std::max<Millis>(1, WallNow() - ago);
}

Plan PlanLogs(const Input& input) {
  VerbPlan<LogsQuery> verb(input);
  Options& options = verb.plan.options;
  LogsQuery& query = *verb.value;
  options.Flag("-f,--follow", "Go on with what is logged from now on.", query.follow);
  options.Value("-n,--lines", "N", "The last N lines.",
                [&query](const std::string& text) -> Status {
                  const auto number = ParseInteger(text, 0, 1LL << 40);
                  if (!number) return Usage("a number of lines, not '" + Printable(text) + "'");
                  query.lines = static_cast<std::size_t>(*number);
                  return Ok();
                });
  options.Value("--since", "TIME", "Not older than 10m, 2h, 2026-11-22T17:16 (UTC), ...",
                [&query](const std::string& text) -> Status {
                  const auto time = ToWallTime(text);
                  if (!time) return time.error();
                  query.since = *time;
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
  return verb.Make([](LogsQuery& filled, const Words& operands) -> Status {
    return operands.empty() ? Ok() : TakeService(filled, operands);
  });
}

Plan PlanLogDump(const Input& input) {
  VerbPlan<LogDumpQuery> verb(input);
  verb.plan.options.Flag("-f,--follow", "Go on with what is logged from now on.",
                         verb.value->follow);
  return verb.Make([](LogDumpQuery& filled, const Words& operands) -> Status {
    return operands.empty() ? Ok() : TakeService(filled, operands);
  });
}

Plan PlanPackages(const Input& input) {
  return VerbPlan<PackagesOptions>(input).Make(
      [](PackagesOptions& options, const Words& operands) -> Status {
        if (operands.size() > 1) {
          const auto depth = ParseInteger(operands[1], 0, 1000);
          if (!depth) {
            return Usage("DEPTH is a number from 0 to 1000, not '" + Printable(operands[1]) + "'");
          }
          options.depth = static_cast<std::uint32_t>(*depth);
        }
        return TakeService(options, operands);
      });
}

Plan PlanOf(const Input& input) {
  switch (input.command->id) {
    case CommandId::kStart:
    case CommandId::kRun:
      return PlanStart(input);
    case CommandId::kLogs:
      return PlanLogs(input);
    case CommandId::kLogDump:
      return PlanLogDump(input);
    case CommandId::kControl:
    case CommandId::kStatus:
      return PlanStatus(input);
    case CommandId::kList:
      return PlanPlain<ListOptions>(input);
    case CommandId::kInfo:
      return PlanPlain<InfoOptions>(input);
    case CommandId::kCreate:
      return PlanCreate(input);
    case CommandId::kStartService:
      return PlanStartService(input);
    case CommandId::kStop:
    case CommandId::kSoftStop:
      return PlanStop(input);
    case CommandId::kRestart:
    case CommandId::kSoftRestart:
    case CommandId::kClusterRestart:
      return PlanRestart(input);
    case CommandId::kSetSize:
      return PlanSetSize(input);
    case CommandId::kEnvironmentGet:
      return PlanEnvironmentGet(input);
    case CommandId::kEnvironmentSet:
    case CommandId::kEnvironmentUnset:
      return PlanEnvironmentChange(input);
    case CommandId::kPackages:
      return PlanPackages(input);
    case CommandId::kRemove:
      return VerbPlan<RemoveOptions>(input).Make(TakeService<RemoveOptions>);
    case CommandId::kShutdown:
      return PlanPlain<ShutdownOptions>(input);
  }
  return PlanPlain<ListOptions>(input);
}

// ---- from words to a command

bool IsVerb(const CommandInfo& command) { return FindCommand(Verbs(), command.name) == &command; }

std::string FullName(const CommandInfo& command) {
  return std::string(IsVerb(command) ? "slc ctl " : "slc ") + command.name;
}

Printout UsageError(const std::string& where, const std::string& message, bool json) {
  const bool question = !message.empty() && message.back() == '?';
  return Printout{where + ": " + message + (question ? " Try '" : "; try '") + where + " --help'",
                  true, json};
}

std::string HelpText(const CommandInfo& command, const Options& options) {
  std::string text = "usage: " + FullName(command) + " [options]";
  if (command.operands[0] != '\0') text += std::string(" ") + command.operands;
  text += "\n\n" + std::string(command.summary) + "\n" + command.details;
  return text + "\nOptions:\n" + options.Help() + "  --help                      This text.\n";
}

std::variant<Command, Printout> Finish(const Input& input) {
  const CommandInfo& command = *input.command;
  Plan plan = PlanOf(input);
  if (input.help) return Printout{HelpText(command, plan.options)};
  const std::string where = FullName(command);
  const bool json = input.json || std::find(input.words.begin(), input.words.end(), "--json") !=
                                      input.words.end();
  Words operands;
  if (Status parsed = plan.options.Parse(input.words, operands); !parsed) {
    return UsageError(where, parsed.error().message, json);
  }
  const bool passes_on = command.id == CommandId::kStart || command.id == CommandId::kRun;
  if (!passes_on) operands.insert(operands.end(), input.behind.begin(), input.behind.end());
  if (operands.size() < command.least) {
    return UsageError(where, std::string("missing argument: ") + where + " " + command.operands,
                      json);
  }
  if (operands.size() > command.most) {
    std::string message =
        "too many arguments, '" + Printable(operands[command.most]) + "' has no place";
    if (passes_on) message += "; what is for the app itself comes after '--'";
    return UsageError(where, message, json);
  }
  auto made = plan.make(operands);
  if (!made) return UsageError(where, made.error().message, json);
  return std::move(*made);
}

bool IsHelp(const std::string& word) { return word == "--help" || word == "-h"; }
bool IsVersion(const std::string& word) {
  return word == "--version" || word == "-V" || word == "-v";
}

// Takes away what stands after "--", and the wish for help in front of it.
void Cut(Input& input) {
  const auto mark = std::find(input.words.begin(), input.words.end(), "--");
  if (mark != input.words.end()) {
    input.behind.assign(mark + 1, input.words.end());
    input.words.erase(mark, input.words.end());
  }
  input.help = std::erase_if(input.words, IsHelp) > 0;
  // "-1" is a number, not an option.
  if (input.command->id != CommandId::kSetSize && input.command->id != CommandId::kPackages) return;
  const auto is_number = [](const std::string& word) {
    return word.size() > 1 && word[0] == '-' && word[1] >= '0' && word[1] <= '9';
  };
  std::copy_if(input.words.begin(), input.words.end(), std::back_inserter(input.behind), is_number);
  std::erase_if(input.words, is_number);
}

std::vector<std::string> Names(const std::vector<CommandInfo>& table) {
  std::vector<std::string> names;
  for (const CommandInfo& command : table) {
    names.emplace_back(command.name);
    if (command.alias[0] != '\0') names.emplace_back(command.alias);
  }
  return names;
}

std::variant<Command, Printout> ParseControl(const Words& words) {
  Input input;
  input.command = FindCommand(Verbs(), "status");
  std::size_t at = 0;
  // Options may stand in front of the verb.
  for (; at < words.size() && words[at].size() > 1 && words[at][0] == '-' && words[at] != "--";
       ++at) {
    const std::string& word = words[at];
    if (IsVersion(word)) return Printout{"slc " SLC_VERSION "\n"};
    if (IsHelp(word)) {
      input.help = true;
    } else if (word == "--json") {
      input.json = true;
    } else if (word == "-C" || word == "--control") {
      if (++at == words.size() || words[at].empty()) {
        return UsageError("slc ctl", "option " + word + " needs a value", input.json);
      }
      input.socket = words[at];
    } else if (StartsWith(word, "--control=")) {
      input.socket = word.substr(std::string("--control=").size());
    } else if (StartsWith(word, "-C")) {
      input.socket = word.substr(2);
    } else {
      break;  // an option of status, or a wrong one: its parser knows
    }
  }
  if (at == words.size() && input.help) return Printout{ControlHelpText()};
  if (at == words.size() || words[at][0] == '-') {
    input.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
    Cut(input);
    return Finish(input);
  }
  std::string verb = words[at++];
  if (verb == "help") {
    if (at == words.size()) return Printout{ControlHelpText()};
    input.help = true;
    verb = words[at++];
  }
  input.command = FindCommand(Verbs(), verb);
  if (input.command == nullptr) {
    const std::string near = DidYouMean(verb, Names(Verbs()));
    const bool json = input.json || std::find(words.begin(), words.end(), "--json") != words.end();
    return UsageError("slc ctl",
                      "unknown command '" + Printable(verb) + "'" +
                          (near.empty() ? "" : "; did you mean 'slc ctl " + near + "'?"),
                      json);
  }
  const bool help = input.help;
  input.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  Cut(input);
  input.help = input.help || help;
  return Finish(input);
}

Printout UnknownProgram(const std::string& word, bool json) {
  std::string message = "unknown command '" + Printable(word) + "'";
  if (FindCommand(Verbs(), word) != nullptr) {
    message += "; did you mean 'slc ctl " + word + "'?";
  } else {
    std::vector<std::string> names = Names(Programs());
    const std::vector<std::string> verbs = Names(Verbs());
    names.insert(names.end(), verbs.begin(), verbs.end());
    std::string near = DidYouMean(word, names);
    if (FindCommand(Programs(), near) == nullptr && !near.empty()) near.insert(0, "ctl ");
    if (!near.empty()) message += "; did you mean 'slc " + near + "'?";
  }
  return UsageError("slc", message, json);
}

}  // namespace

std::variant<Command, Printout> ParseCommandLine(const std::vector<std::string>& arguments) {
  Words words = arguments;
  if (words.empty()) return Printout{OverviewText()};
  if (IsVersion(words[0])) return Printout{"slc " SLC_VERSION "\n"};
  if (words[0] == "help" || IsHelp(words[0])) {
    // `slc help VERB` is `slc VERB --help`.
    words.erase(words.begin());
    if (words.empty()) return Printout{OverviewText()};
    words.push_back("--help");
  }
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  if (words[0].size() > 1 && words[0][0] == '-') {
    return UsageError("slc", "unknown option '" + Printable(words[0]) + "'", json);
  }
  const CommandInfo* command = FindCommand(Programs(), words[0]);
  if (command == nullptr) return UnknownProgram(words[0], json);
  words.erase(words.begin());
  if (command->id == CommandId::kControl) return ParseControl(words);
  Input input;
  input.command = command;
  input.words = std::move(words);
  Cut(input);
  return Finish(input);
}

}  // namespace slc::ctl
