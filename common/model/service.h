// The wish: what the operator wants of a service. Plain values; slcd keeps them durably.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace slc {

// How a worker tells that it serves.
enum class Readiness {
  // Node: it listens on what its predecessor listened on; others: alive for one second, or READY=1
  kListening,
  kMessage,  // process.send('ready'); others: READY=1 by sd_notify
  kAlive,    // alive for one second
};
enum class RestartPolicy { kAlways, kOnFailure, kNever };
enum class LogFormat { kText, kJson, kRaw };
// How connections on one port reach the workers of a Node service.
enum class Balance {
  kRr,      // the master accepts and hands them round
  kSticky,  // the same, but each client address has its slot
  kSlots,   // each slot has a socket of its own, on which its worker accepts
  kShared,  // all workers accept on one socket
};

// The names used on the command line and in JSON: "listening", "on-failure", "text", ...
const char* Name(Readiness value);
const char* Name(RestartPolicy value);
const char* Name(LogFormat value);
const char* Name(Balance value);
std::optional<Readiness> ReadinessFromName(const std::string& name);
std::optional<RestartPolicy> RestartPolicyFromName(const std::string& name);
std::optional<LogFormat> LogFormatFromName(const std::string& name);
std::optional<Balance> BalanceFromName(const std::string& name);

inline constexpr std::uint32_t kMostWorkers = 1024;
inline constexpr std::uint32_t kSizeCpu = 0xffffffff;  // "cpu": as many as there are CPUs

// "cpu" or 0..1024. kInvalid with a message that names the limits.
Result<std::uint32_t> ParseSize(const std::string& text);
std::string FormatSize(std::uint32_t size);

// CPUs in thousandths: "1.5" is 1500, from 0.01 to 1024 with three decimals at most. kInvalid with
// a message that names the limits.
Result<std::uint32_t> ParseCpus(const std::string& text);
std::string FormatCpus(std::uint32_t millis);

// [A-Za-z0-9._-]{1,64}, not only digits, not starting with '.' or '-'.
Status CheckServiceName(const std::string& name);
// A package or folder name made into a service name: "@acme/api" becomes "acme-api". Empty if
// nothing usable is left.
std::string ToServiceName(const std::string& name);

// What a worker may take. 0 or nothing: no limit of ours.
struct WorkerLimits {
  std::uint64_t max_memory = 0;  // bytes resident; a worker beyond them is replaced
  Millis hang_timeout = 0;       // an event loop that stands still for so long is replaced
  std::uint64_t open_files = 0;  // RLIMIT_NOFILE
  std::optional<int> nice;       // -20..19
  std::uint32_t cpu_millis = 0;  // thousandths of a CPU, for all workers together
  std::uint64_t log_rate = 0;    // bytes per second that are logged, for all workers together

  bool operator==(const WorkerLimits&) const = default;
};

// How releases of it come into service, and how many are kept.
struct ReleasePolicy {
  std::uint32_t keep = 5;
  Millis canary_time = 10'000;  // that the first worker of a new one must serve before the others
  std::string health;           // "/healthz": must answer 2xx or 3xx meanwhile; empty: not asked
  bool npm = true;              // npm completes what was unpacked

  bool operator==(const ReleasePolicy&) const = default;
};
inline constexpr std::uint32_t kMostKept = 1000;
inline constexpr Millis kLongestCanary = 60 * 60'000;

// A path to be asked for over HTTP: "/healthz". kInvalid with what is wrong.
Status CheckHealthPath(const std::string& path);

struct ServiceSpec {
  std::string name;
  std::string directory;  // absolute; symbolic links are resolved anew for each generation. Empty:
                          // a service that was only created and has no app yet
  std::string script;     // relative to `directory` or absolute; what runs
  std::string script_reason;  // why this file was chosen, for people
  std::vector<std::string> arguments;
  bool own_arguments = false;  // they were given behind --, and are not those of scripts.start
  std::string interpreter;     // "" : Node for .js .mjs .cjs .ts, else the file itself is executed
  std::vector<std::string> node_arguments;         // --node-args: for Node or the interpreter
  std::vector<std::string> script_node_arguments;  // flags before the file in scripts.start
  std::string node;                // path of the node binary; empty: looked up in PATH
  std::string cwd;                 // working directory of workers; empty: `directory`
  Environment caller_environment;  // PATH, HOME, LANG, NODE_ENV ... at `slc start`
  Environment script_environment;  // K=V in front of the command in scripts.start
  Environment environment;         // --env, env-set
  unsigned file_mask = 022;        // umask of workers: that of `slc start`
  std::optional<std::uint16_t> port;
  std::vector<std::string> listen;  // --listen, see listen_address.h
  Balance balance = Balance::kRr;
  Readiness readiness = Readiness::kListening;
  Millis ready_timeout = 30000;
  Millis drain_timeout = 10000;
  Millis drain_linger = 500;
  std::string stop_signal = "SIGTERM";
  Millis stop_timeout = 5000;
  RestartPolicy restart = RestartPolicy::kAlways;
  Millis min_uptime = 10000;
  std::optional<std::uint32_t> max_restarts;  // failures in a row; nothing: no limit
  WorkerLimits limits;
  bool spare = false;         // one more worker waits, booted, for the place of one that ends
  bool compile_cache = true;  // Node keeps its compiled code, where it can
  std::string restart_at;     // times of soft restarts, as cron writes them; empty: none
  bool watch = false;         // a changed file restarts the service
  std::vector<std::string> watch_only;  // patterns of the files that count; none: all
  bool watch_restart = false;           // by a restart instead of a soft restart
  ReleasePolicy releases;
  bool agent = true;
  std::string run_as;  // USER[:GROUP]; empty: the daemon's own user
  LogFormat log_format = LogFormat::kText;
  std::uint64_t log_file_bytes = 10U << 20;
  std::uint32_t log_files = 10;

  bool operator==(const ServiceSpec&) const = default;
};

// How a running instance gets from one generation to the next.
enum class RollMode {
  kRestart,  // all at once: stop everything, start everything
  kRolling,  // slot by slot, the successor ready before the predecessor drains
};

// The record of a service was found damaged, and holds the version before since then.
struct RecordDamage {
  std::string reason;   // why the file held no wish
  Millis found_at = 0;  // wall

  bool operator==(const RecordDamage&) const = default;
};

struct Wish {
  ServiceId id = 0;
  ServiceSpec spec;
  std::uint32_t size = kSizeCpu;
  bool run = false;
  bool soft_stop = false;     // how to get to run == false
  Generation generation = 0;  // raised by each restart and soft restart; 0: never started
  RollMode mode = RollMode::kRestart;
  std::uint32_t parallel = 1;  // slots replaced at a time in a roll
  std::uint64_t order = 0;     // raised by every change; orders to a master carry it
  bool removing = false;       // to be forgotten as soon as it has stopped
  bool trial = false;          // only one worker of the generation, beside those of the one before
  std::string last_request;    // id of the client request that made this wish: a repeat is answered
                               // without a second effect
  std::optional<RecordDamage> damage;  // until a person has seen to the service
};

// True for files that Node runs: .js .mjs .cjs .ts .mts .cts
bool IsNodeScript(const std::string& file);
// True if the workers are Node processes, so that they can share a port by Node's cluster.
bool RunsOnNode(const ServiceSpec& spec);

// What stands between Node or the interpreter and the script: scripts.start's flags, then
// --node-args.
std::vector<std::string> NodeArguments(const ServiceSpec& spec);

// Differences that a person should hear about, e.g. {"port 3001 -> 4000", "env FOO added"}. Values
// of environment variables are not shown.
std::vector<std::string> DescribeChanges(const ServiceSpec& before, const ServiceSpec& after);
// The options that are not as they are by default, e.g. {"balance slots", "max-memory 150M"}.
std::vector<std::string> DescribeOptions(const ServiceSpec& spec);

// PORT default: base 3000 + service id.
inline constexpr std::uint32_t kBasePort = 3000;
// The port the service's workers are told in PORT: a PORT among its variables, --port, or 3000 +
// id; nothing if that leaves the range of ports.
std::optional<std::uint16_t> EffectivePort(const Wish& wish);

}  // namespace slc
