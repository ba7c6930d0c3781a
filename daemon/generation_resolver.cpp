#include "daemon/generation_resolver.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>

#include "common/base/cgroup.h"
#include "common/base/file_rights.h"
#include "common/base/files.h"
#include "common/base/own_limits.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/model/listen_address.h"

namespace slc {
namespace {

constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

Result<std::string> RealPath(const std::string& path, const std::string& what) {
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(path.c_str(), resolved.data()) == nullptr) {
    Error error = SystemError(what + " " + path, errno);
    if (errno == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  return std::string(resolved.data());
}

Status CheckScript(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kSystem,
                 "script not found: " + path +
                     (errno == ENOENT ? "" : " (" + SystemError("", errno).message + ")")};
  }
  if (S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kInvalid, path + " is a folder, not a script"};
  }
  return Ok();
}

bool IsTypeScript(const std::string& path) {
  return EndsWith(path, ".ts") || EndsWith(path, ".mts") || EndsWith(path, ".cts");
}

// "v22.9.0" -> {22, 9}; {0, 0} if it cannot be found out.
struct NodeVersion {
  int major = 0;
  int minor = 0;
};
// Asked with the rights of the service: what it names may be a program of its own.
NodeVersion VersionOf(const std::string& node, const std::optional<RunAs>& run_as) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  SpawnOptions options;
  options.program = node;
  options.arguments = {node, "--version"};
  options.environment = {std::string("PATH=") + kDefaultPath};
  options.descriptors = {{write_end.get(), STDOUT_FILENO}};
  options.run_as = run_as;
  auto spawned = Spawn(options);
  write_end.reset();
  if (!spawned) return {};
  // Whatever --node names may hang, and other changes wait for this thread.
  constexpr int kPatience = 5000;
  std::array<char, 64> text{};
  pollfd answer{read_end.get(), POLLIN, 0};
  ssize_t got = -1;
  if (::poll(&answer, 1, kPatience) > 0) {
    got = ::read(read_end.get(), text.data(), text.size() - 1);
  }
  if (got <= 0 || !HasEnded(spawned->pidfd, kPatience)) SignalProcess(spawned->pidfd, SIGKILL);
  HasEnded(spawned->pidfd, -1);
  Reap(spawned->pidfd);
  NodeVersion version;
  if (got <= 0 || std::sscanf(text.data(), "v%d.%d", &version.major, &version.minor) != 2)
    return {};
  return version;
}

// A module that Node loads before the script may teach it other languages (tsx, ts-node, swc).
bool LoadsSomething(const std::vector<std::string>& options) {
  return std::any_of(options.begin(), options.end(), [](const std::string& option) {
    const std::string name = option.substr(0, option.find('='));
    return name == "--import" || name == "--require" || name == "-r" || name == "--loader" ||
           name == "--experimental-loader";
  });
}

// Flags with which this Node runs TypeScript.
Result<std::vector<std::string>> TypeScriptFlags(const std::string& node,
                                                 const std::optional<RunAs>& run_as) {
  const NodeVersion version = VersionOf(node, run_as);
  const bool by_itself = version.major > 23 || (version.major == 23 && version.minor >= 6) ||
                         (version.major == 22 && version.minor >= 18);
  if (by_itself) return std::vector<std::string>{};
  if (version.major == 23 || (version.major == 22 && version.minor >= 6)) {
    return std::vector<std::string>{"--experimental-strip-types"};
  }
  return Error{ErrorCode::kInvalid,
               "Node " + std::to_string(version.major) + "." + std::to_string(version.minor) +
                   " (" + node +
                   ") cannot run TypeScript; Node 22.6 or newer can: name it with --node, load "
                   "something that can (--node-args '--import tsx'), or compile the app to "
                   "JavaScript"};
}

// Nobody but us and root can put a file there.
bool IsOurs(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return false;
  return (info.st_uid == 0 || info.st_uid == ::geteuid()) &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// With --run-as the user may own the folder, and its .env be a link to a file of root's: it is read
// with the user's rights, unless the folder is one in which the user can plant nothing.
Result<Environment> ReadDotEnv(const std::string& directory, const std::optional<RunAs>& run_as) {
  const FileRights rights(IsOurs(directory) ? std::nullopt : run_as);
  const std::string path = directory + "/.env";
  if (rights.errno_value() != 0) return SystemError("open " + path, rights.errno_value());
  auto text = ReadRegularFile(path, 1U << 20);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return Environment{};
    return text.error();
  }
  auto parsed = ParseDotEnv(*text);
  if (!parsed) return parsed.error().During(directory + "/.env");
  return parsed;
}

// What slcd could not give to workers is refused before one is started.
Status CheckLimits(const WorkerLimits& limits) {
  if (const auto files = limits.open_files; files > 0) {
    if (Status may = MayGiveFileLimit(files); !may) {
      return may.error().During("--nofile " + std::to_string(files));
    }
  }
  if (const std::uint32_t millis = limits.cpu_millis; millis > 0) {
    if (Status may = MayLimitCpus(millis); !may) {
      return may.error().During("--cpus " + FormatCpus(millis));
    }
  }
  if (limits.nice) {
    if (Status may = MayGiveNice(*limits.nice); !may) {
      return may.error().During("--nice " + std::to_string(*limits.nice));
    }
  }
  return Ok();
}

// A spare is held back in its listen(), by the cluster channel and the agent.
Status CheckSpare(const ServiceSpec& spec, const GenerationConfig& config,
                  const std::string& script) {
  if (!spec.spare) return Ok();
  if (!config.node) {
    return Error{ErrorCode::kInvalid, "--spare is for Node: " + script + " could not be held back"};
  }
  if (!spec.agent) return Error{ErrorCode::kInvalid, "--spare does not work with --no-agent"};
  if (spec.restart == RestartPolicy::kNever) {
    return Error{ErrorCode::kInvalid,
                 "--spare is of no use with --restart never: who ends is not followed"};
  }
  return Ok();
}

}  // namespace

int InspectPortOf(const std::vector<std::string>& node_arguments) {
  constexpr int kDefault = 9229;
  int port = 0;
  for (const std::string& argument : node_arguments) {
    for (const char* flag :
         {"--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port"}) {
      const std::string_view name = flag;
      if (argument == name) port = port == 0 ? kDefault : port;
      if (!StartsWith(argument, std::string(name) + "=")) continue;
      std::string value = argument.substr(name.size() + 1);
      value = value.substr(value.rfind(':') == std::string::npos ? 0 : value.rfind(':') + 1);
      // A host without a port, or port 0 (any), needs no numbering.
      if (const auto number = ParseInteger(value, 1, 65535)) port = static_cast<int>(*number);
    }
  }
  return port;
}

Environment ComposeEnvironment(const Wish& wish, const Environment& dot_env, const TargetUser* user,
                               const std::string& directory) {
  Environment environment = wish.spec.caller_environment;
  if (environment.count("PATH") == 0) environment["PATH"] = kDefaultPath;
  if (user != nullptr) {
    environment["HOME"] = user->home;
    environment["USER"] = user->name;
    environment["LOGNAME"] = user->name;
  }
  environment["PWD"] = directory;
  const std::uint32_t port = kBasePort + wish.id;
  if (port <= 65535) environment["PORT"] = std::to_string(port);
  for (const auto& [name, value] : dot_env) environment[name] = value;
  for (const auto& [name, value] : wish.spec.script_environment) environment[name] = value;
  for (const auto& [name, value] : wish.spec.environment) environment[name] = value;
  if (wish.spec.port) environment["PORT"] = std::to_string(*wish.spec.port);
  return environment;
}

Result<GenerationConfig> ResolveGeneration(const Wish& wish) {
  const ServiceSpec& spec = wish.spec;
  GenerationConfig config;
  config.generation = wish.generation;
  config.service = spec.name;
  auto directory = RealPath(spec.directory, "the app's folder");
  if (!directory) return directory.error();
  struct stat info {};
  if (::stat(directory->c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kInvalid, *directory + " is not a folder"};
  }
  config.working_directory = *directory;
  if (!spec.cwd.empty()) {
    auto cwd = RealPath(spec.cwd[0] == '/' ? spec.cwd : *directory + "/" + spec.cwd, "--cwd");
    if (!cwd) return cwd.error();
    config.working_directory = *cwd;
  }
  const std::string script = spec.script[0] == '/' ? spec.script : *directory + "/" + spec.script;
  if (Status there = CheckScript(script); !there) return there.error();

  TargetUser user;
  std::optional<RunAs> run_as;
  if (!spec.run_as.empty()) {
    auto target = ResolveRunAs(spec.run_as);
    if (!target) return target.error().During("--run-as " + spec.run_as);
    config.has_run_as = true;
    config.uid = target->uid;
    config.gid = target->gid;
    config.groups.assign(target->groups.begin(), target->groups.end());
    run_as = *target;
    const UserInfo known = LookUpUser(target->uid);
    user = TargetUser{known.name.empty() ? std::to_string(target->uid) : known.name,
                      known.home.empty() ? "/" : known.home};
  }
  auto dot_env = ReadDotEnv(*directory, run_as);
  if (!dot_env) return dot_env.error();
  const Environment environment = ComposeEnvironment(
      wish, *dot_env, config.has_run_as ? &user : nullptr, config.working_directory);
  config.environment = ToBlock(environment);
  const std::string search_path = environment.at("PATH");

  const std::vector<std::string> options = NodeArguments(spec);
  config.node = spec.interpreter.empty() && IsNodeScript(script);
  if (config.node) {
    auto node = FindProgram(spec.node.empty() ? "node" : spec.node, search_path);
    if (!node) return node.error().During("find Node (name it with --node)");
    config.program = *node;
    config.arguments = {*node};
    config.arguments.insert(config.arguments.end(), options.begin(), options.end());
    if (IsTypeScript(script) && !LoadsSomething(options)) {
      auto flags = TypeScriptFlags(*node, run_as);
      if (!flags) return flags.error();
      config.arguments.insert(config.arguments.end(), flags->begin(), flags->end());
    }
    config.agent_position = spec.agent ? config.arguments.size() : 0;
    config.inspect_port = InspectPortOf(options);
    config.arguments.push_back(script);
  } else if (!spec.interpreter.empty()) {
    auto interpreter = FindProgram(spec.interpreter, search_path);
    if (!interpreter) return interpreter.error().During("--interpreter");
    config.program = *interpreter;
    config.arguments = {*interpreter};
    config.arguments.insert(config.arguments.end(), options.begin(), options.end());
    config.arguments.push_back(script);
  } else {
    if (::access(script.c_str(), X_OK) != 0) {
      return Error{ErrorCode::kInvalid,
                   script +
                       " is not executable and not a Node script; name what runs it "
                       "with --interpreter, or chmod +x it"};
    }
    config.program = script;
    config.arguments = {script};
  }
  config.arguments.insert(config.arguments.end(), spec.arguments.begin(), spec.arguments.end());

  for (const std::string& text : spec.listen) {
    auto address = ParseListenAddress(text);
    if (!address) return address.error();
    const bool relative = !address->path.empty() && address->path[0] != '/';
    if (!relative) {
      config.listen.push_back(text);
      continue;
    }
    config.listen.push_back((address->name.empty() ? "" : address->name + "=") +
                            "unix:" + config.working_directory + "/" + address->path);
  }
  const bool own_sockets = spec.balance == Balance::kSlots || spec.balance == Balance::kShared;
  if (!config.node && spec.balance != Balance::kRr && (!own_sockets || spec.listen.empty())) {
    const std::string why = own_sockets ? " binds its port itself; name it with --listen, too"
                                        : " accepts its connections itself";
    return Error{ErrorCode::kInvalid,
                 std::string("--balance ") + Name(spec.balance) + " is for Node: " + script + why};
  }
  if (spec.limits.hang_timeout > 0 && config.agent_position == 0) {
    return Error{ErrorCode::kInvalid,
                 config.node ? "--hang-timeout needs what --no-agent leaves out: give --agent, or "
                               "--hang-timeout none"
                             : "--hang-timeout is for Node: nothing asks " + script +
                                   " whether it hangs; give --hang-timeout none"};
  }
  config.balance = spec.balance;
  config.readiness = spec.readiness;
  config.policy.ready_timeout = spec.ready_timeout;
  config.policy.drain_timeout = spec.drain_timeout;
  config.policy.stop_timeout = spec.stop_timeout;
  config.policy.min_uptime = spec.min_uptime;
  config.policy.restart = spec.restart;
  config.policy.max_restarts = spec.max_restarts;
  if (Status may = CheckLimits(spec.limits); !may) return may.error();
  config.limits = spec.limits;
  if (Status good = CheckSpare(spec, config, script); !good) return good.error();
  config.policy.spare = spec.spare;
  config.compile_cache = spec.compile_cache;
  config.drain_linger = spec.drain_linger;
  config.stop_signal = SignalFromName(spec.stop_signal).value_or(15);
  config.file_mask = spec.file_mask;
  config.log_format = spec.log_format;
  config.log_file_bytes = spec.log_file_bytes;
  config.log_files = spec.log_files;
  config.code = ReadCodeFacts(*directory, script);
  return config;
}

}  // namespace slc
