#include "common/model/service.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <string_view>

#include "common/base/text.h"

namespace slc {
namespace {

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// Of one option, as it would be given on the command line; empty: not at all.
struct OptionChange {
  std::string what;
  std::string before;
  std::string after;
};
using OptionChanges = std::vector<OptionChange>;

template <typename T>
void NoteChange(OptionChanges& changes, const std::string& what, const T& before, const T& after) {
  if (before == after) return;
  if constexpr (std::is_same_v<T, std::string>) {
    changes.push_back({what, before, after});
  } else {
    changes.push_back({what, std::to_string(before), std::to_string(after)});
  }
}

// As it would be given on the command line.
std::string OptionText(Millis span) {
  return span % 1000 == 0 ? std::to_string(span / 1000) + "s" : std::to_string(span) + "ms";
}

void NoteSpan(OptionChanges& changes, const std::string& what, Millis before, Millis after) {
  NoteChange(changes, what, OptionText(before), OptionText(after));
}

void NoteSwitch(OptionChanges& changes, const std::string& what, bool before, bool after) {
  const auto text = [](bool on) { return std::string(on ? "on" : "off"); };
  NoteChange(changes, what, text(before), text(after));
}

// As it would be given on the command line; nothing where there is no such limit.
std::string BytesText(std::uint64_t bytes) {
  if (bytes == 0) return {};
  std::size_t unit = 0;
  constexpr std::string_view kUnits = " KMG";
  while (unit + 1 < kUnits.size() && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + (unit == 0 ? std::string() : std::string(1, kUnits[unit]));
}

// Nothing where there is no such limit.
template <typename T>
std::string CountText(const std::optional<T>& count) {
  return count ? std::to_string(*count) : std::string();
}

void NoteLimits(OptionChanges& changes, const WorkerLimits& before, const WorkerLimits& after) {
  NoteChange(changes, "max-memory", BytesText(before.max_memory), BytesText(after.max_memory));
  const auto span = [](Millis limit) { return limit == 0 ? std::string() : OptionText(limit); };
  NoteChange(changes, "hang-timeout", span(before.hang_timeout), span(after.hang_timeout));
  const auto files = [](std::uint64_t count) {
    return count == 0 ? std::string() : std::to_string(count);
  };
  NoteChange(changes, "nofile", files(before.open_files), files(after.open_files));
  NoteChange(changes, "nice", CountText(before.nice), CountText(after.nice));
  const auto cpus = [](std::uint32_t millis) {
    return millis == 0 ? std::string() : FormatCpus(millis);
  };
  NoteChange(changes, "cpus", cpus(before.cpu_millis), cpus(after.cpu_millis));
  NoteChange(changes, "log-rate", BytesText(before.log_rate), BytesText(after.log_rate));
}

std::string Octal(unsigned mask) {
  std::string text = "000";
  for (std::size_t i = 3; i-- > 0; mask >>= 3) text[i] = static_cast<char>('0' + (mask & 7));
  return text;
}

void NoteVariables(std::vector<std::string>& notes, const Environment& before,
                   const Environment& after) {
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end()) {
      notes.push_back("env " + name + " added");
    } else if (old->second != value) {
      notes.push_back("env " + name + " changed");
    }
  }
  for (const auto& [name, value] : before) {
    if (after.count(name) == 0) notes.push_back("env " + name + " removed");
  }
}

}  // namespace

const char* Name(Readiness value) {
  switch (value) {
    case Readiness::kListening:
      return "listening";
    case Readiness::kMessage:
      return "message";
    case Readiness::kAlive:
      return "alive";
  }
  return "listening";
}

const char* Name(RestartPolicy value) {
  switch (value) {
    case RestartPolicy::kAlways:
      return "always";
    case RestartPolicy::kOnFailure:
      return "on-failure";
    case RestartPolicy::kNever:
      return "never";
  }
  return "always";
}

const char* Name(LogFormat value) {
  switch (value) {
    case LogFormat::kText:
      return "text";
    case LogFormat::kJson:
      return "json";
    case LogFormat::kRaw:
      return "raw";
  }
  return "text";
}

const char* Name(Balance value) {
  switch (value) {
    case Balance::kRr:
      return "rr";
    case Balance::kSticky:
      return "sticky";
    case Balance::kSlots:
      return "slots";
    case Balance::kShared:
      return "shared";
  }
  return "rr";
}

std::optional<Readiness> ReadinessFromName(const std::string& name) {
  for (const Readiness value : {Readiness::kListening, Readiness::kMessage, Readiness::kAlive}) {
    if (name == Name(value)) return value;
  }
  return std::nullopt;
}

std::optional<RestartPolicy> RestartPolicyFromName(const std::string& name) {
  for (const RestartPolicy value :
       {RestartPolicy::kAlways, RestartPolicy::kOnFailure, RestartPolicy::kNever}) {
    if (name == Name(value)) return value;
  }
  return std::nullopt;
}

std::optional<LogFormat> LogFormatFromName(const std::string& name) {
  for (const LogFormat value : {LogFormat::kText, LogFormat::kJson, LogFormat::kRaw}) {
    if (name == Name(value)) return value;
  }
  return std::nullopt;
}

std::optional<Balance> BalanceFromName(const std::string& name) {
  for (const Balance value : {Balance::kRr, Balance::kSticky, Balance::kSlots, Balance::kShared}) {
    if (name == Name(value)) return value;
  }
  return std::nullopt;
}

Result<std::uint32_t> ParseSize(const std::string& text) {
  if (text == "cpu" || text == "CPU" || text == "cpus") return kSizeCpu;
  const auto number = ParseInteger(text, 0, kMostWorkers);
  if (!number) {
    return Error{ErrorCode::kInvalid, "size must be 'cpu' or a number from 0 to " +
                                          std::to_string(kMostWorkers) + ", not '" +
                                          Printable(text) + "'"};
  }
  return static_cast<std::uint32_t>(*number);
}

std::string FormatSize(std::uint32_t size) {
  return size == kSizeCpu ? "cpu" : std::to_string(size);
}

Result<std::uint32_t> ParseCpus(const std::string& text) {
  const std::size_t dot = text.find('.');
  const auto whole = ParseInteger(text.substr(0, dot), 0, 1024);
  std::string decimals = dot == std::string::npos ? "0" : text.substr(dot + 1);
  const bool three = !decimals.empty() && decimals.size() <= 3;
  decimals.resize(3, '0');
  const auto thousandths = ParseInteger(decimals, 0, 999);
  const std::int64_t millis = whole && thousandths ? *whole * 1000 + *thousandths : 0;
  if (!three || millis < 10 || millis > 1024 * 1000) {
    return Error{ErrorCode::kInvalid,
                 "a number of CPUs from 0.01 to 1024 like 1.5, not '" + Printable(text) + "'"};
  }
  return static_cast<std::uint32_t>(millis);
}

std::string FormatCpus(std::uint32_t millis) {
  std::string text = std::to_string(millis / 1000);
  if (millis % 1000 == 0) return text;
  text += "." + std::to_string(1000 + millis % 1000).substr(1);
  while (text.back() == '0') text.pop_back();
  return text;
}

Status CheckServiceName(const std::string& name) {
  const bool length = !name.empty() && name.size() <= 64;
  const bool characters = std::all_of(name.begin(), name.end(), IsNameCharacter);
  const bool only_digits =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (length && characters && !only_digits && name[0] != '.' && name[0] != '-') return Ok();
  return Error{ErrorCode::kInvalid,
               "'" + Printable(name.substr(0, 80)) +
                   "' is no name for a service: use 1 to 64 of A-Z a-z 0-9 . _ -, not only digits, "
                   "not starting with '.' or '-'"};
}

Status CheckHealthPath(const std::string& path) {
  constexpr std::size_t kLongest = 1024;
  const bool printable =
      std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!path.empty() && path[0] == '/' && path.size() <= kLongest && printable) return Ok();
  return Error{ErrorCode::kInvalid,
               "a path to ask for begins with '/', as /healthz, and has no "
               "spaces: not '" +
                   Printable(path.substr(0, 80)) + "'"};
}

std::string ToServiceName(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (IsNameCharacter(c)) {
      result += c;
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    }
  }
  const std::size_t first = result.find_first_not_of(".-");
  if (first == std::string::npos) return {};
  result = result.substr(first, 64);
  while (!result.empty() && result.back() == '-') result.pop_back();
  if (std::all_of(result.begin(), result.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    result = ("app-" + result).substr(0, 64);
  }
  return result;
}

bool IsNodeScript(const std::string& file) {
  static constexpr const char* kExtensions[] = {".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"};
  return std::any_of(std::begin(kExtensions), std::end(kExtensions),
                     [&](const char* extension) { return EndsWith(file, extension); });
}

bool RunsOnNode(const ServiceSpec& spec) {
  return spec.interpreter.empty() && IsNodeScript(spec.script);
}

std::vector<std::string> NodeArguments(const ServiceSpec& spec) {
  std::vector<std::string> all = spec.script_node_arguments;
  all.insert(all.end(), spec.node_arguments.begin(), spec.node_arguments.end());
  return all;
}

namespace {

OptionChanges CompareOptions(const ServiceSpec& before, const ServiceSpec& after) {
  OptionChanges changes;
  const auto port = [](const ServiceSpec& spec) {
    return spec.port ? std::to_string(*spec.port) : std::string("(default)");
  };
  NoteChange(changes, "folder", before.directory, after.directory);
  NoteChange(changes, "script", before.script, after.script);
  NoteChange(changes, "arguments", Join(before.arguments, " "), Join(after.arguments, " "));
  NoteChange(changes, "interpreter", before.interpreter, after.interpreter);
  NoteChange(changes, "node arguments", Join(NodeArguments(before), " "),
             Join(NodeArguments(after), " "));
  NoteChange(changes, "node", before.node, after.node);
  NoteChange(changes, "cwd", before.cwd, after.cwd);
  NoteChange(changes, "port", port(before), port(after));
  NoteChange(changes, "listen", Join(before.listen, " "), Join(after.listen, " "));
  NoteChange(changes, "balance", std::string(Name(before.balance)),
             std::string(Name(after.balance)));
  NoteChange(changes, "ready", std::string(Name(before.readiness)),
             std::string(Name(after.readiness)));
  NoteSpan(changes, "ready-timeout", before.ready_timeout, after.ready_timeout);
  NoteSpan(changes, "drain-timeout", before.drain_timeout, after.drain_timeout);
  NoteSpan(changes, "drain-linger", before.drain_linger, after.drain_linger);
  NoteChange(changes, "stop-signal", before.stop_signal, after.stop_signal);
  NoteSpan(changes, "stop-timeout", before.stop_timeout, after.stop_timeout);
  NoteChange(changes, "restart", std::string(Name(before.restart)),
             std::string(Name(after.restart)));
  NoteSpan(changes, "min-uptime", before.min_uptime, after.min_uptime);
  NoteChange(changes, "max-restarts", CountText(before.max_restarts),
             CountText(after.max_restarts));
  NoteLimits(changes, before.limits, after.limits);
  NoteSwitch(changes, "spare", before.spare, after.spare);
  NoteSwitch(changes, "compile-cache", before.compile_cache, after.compile_cache);
  NoteChange(changes, "restart-at", before.restart_at, after.restart_at);
  NoteChange(changes, "keep", std::to_string(before.releases.keep),
             std::to_string(after.releases.keep));
  NoteChange(changes, "canary-time", FormatSpan(before.releases.canary_time),
             FormatSpan(after.releases.canary_time));
  NoteChange(changes, "health", before.releases.health, after.releases.health);
  NoteSwitch(changes, "npm", before.releases.npm, after.releases.npm);
  NoteSwitch(changes, "watch", before.watch, after.watch);
  NoteChange(changes, "watch-only", Join(before.watch_only, " "), Join(after.watch_only, " "));
  NoteSwitch(changes, "watch-restart", before.watch_restart, after.watch_restart);
  NoteSwitch(changes, "agent", before.agent, after.agent);
  NoteChange(changes, "run-as", before.run_as, after.run_as);
  NoteChange(changes, "umask", Octal(before.file_mask), Octal(after.file_mask));
  NoteChange(changes, "log-format", std::string(Name(before.log_format)),
             std::string(Name(after.log_format)));
  NoteChange(changes, "log-size", BytesText(before.log_file_bytes),
             BytesText(after.log_file_bytes));
  NoteChange(changes, "log-files", before.log_files, after.log_files);
  return changes;
}

}  // namespace

std::vector<std::string> DescribeChanges(const ServiceSpec& before, const ServiceSpec& after) {
  std::vector<std::string> notes;
  const auto shown = [](const std::string& value) { return value.empty() ? "(none)" : value; };
  for (const OptionChange& change : CompareOptions(before, after)) {
    notes.push_back(change.what + " " + shown(change.before) + " -> " + shown(change.after));
  }
  NoteVariables(notes, before.script_environment, after.script_environment);
  NoteVariables(notes, before.environment, after.environment);
  NoteVariables(notes, before.caller_environment, after.caller_environment);
  return notes;
}

std::vector<std::string> DescribeOptions(const ServiceSpec& spec) {
  // What is shown elsewhere, or is the same for all that a user starts.
  static constexpr std::array<const char*, 5> kElsewhere{"folder", "script", "port", "node", "cwd"};
  std::vector<std::string> options;
  for (const OptionChange& change : CompareOptions(ServiceSpec(), spec)) {
    const bool elsewhere =
        std::find(kElsewhere.begin(), kElsewhere.end(), change.what) != kElsewhere.end();
    if (elsewhere) continue;
    options.push_back(change.what + " " + (change.after.empty() ? "(none)" : change.after));
  }
  return options;
}

std::optional<std::uint16_t> EffectivePort(const Wish& wish) {
  const auto variable = wish.spec.environment.find("PORT");
  if (variable != wish.spec.environment.end()) {
    const auto number = ParseInteger(variable->second, 0, 65535);
    if (number) return static_cast<std::uint16_t>(*number);
  }
  if (wish.spec.port) return wish.spec.port;
  const std::uint64_t port = std::uint64_t{kBasePort} + wish.id;
  if (port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

}  // namespace slc
