#include "ctl/start_request.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/model/app_folder.h"

namespace slc::ctl {
namespace {

bool IsGiven(const StartOptions& options, const char* name) {
  return std::find(options.given.begin(), options.given.end(), name) != options.given.end();
}

mode_t OwnFileMask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

Status CheckFolder(const std::string& option, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return SystemError(option + " " + path, errno);
  if (!S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kInvalid, option + " " + path + ": is not a folder"};
  }
  return Ok();
}

// A program as it must be found again later, when nobody knows where we stood.
Result<std::string> ProgramPath(const std::string& option, const std::string& program,
                                const std::string& here, const Environment& own) {
  const auto path = own.find("PATH");
  const bool named = program.find('/') != std::string::npos;
  auto found = FindProgram(named ? AbsolutePath(program, here) : program,
                           path != own.end() ? path->second : "");
  if (!found) return found.error().During(option);
  return found;
}

}  // namespace

Environment CallerEnvironment(const Environment& own) {
  static constexpr std::array<std::string_view, 8> kKept{"PATH", "HOME",     "USER", "LOGNAME",
                                                         "LANG", "LANGUAGE", "TZ",   "NODE_ENV"};
  Environment kept;
  for (const auto& [name, value] : own) {
    if (std::find(kKept.begin(), kKept.end(), name) != kKept.end() || StartsWith(name, "LC_")) {
      kept[name] = value;
    }
  }
  return kept;
}

Environment ForegroundEnvironment(const Environment& own) {
  Environment kept;
  for (const auto& [name, value] : own) {
    static constexpr std::array<std::string_view, 4> kOfTheShell{"PWD", "OLDPWD", "SHLVL", "_"};
    const bool shell = std::find(kOfTheShell.begin(), kOfTheShell.end(), name) != kOfTheShell.end();
    if (!shell && !StartsWith(name, "SLC_")) kept[name] = value;
  }
  return kept;
}

Result<StartService> MakeStartRequest(const StartOptions& options, const std::string& here,
                                      const Environment& own, bool foreground) {
  auto app = FindApp(AppRequest{options.target, here, options.spec.interpreter});
  if (!app) return app.error();
  StartService request;
  request.size = options.size;
  request.replace = options.replace;
  request.given = options.given;
  ServiceSpec& spec = request.spec;
  spec = options.spec;
  if (spec.name.empty()) spec.name = app->name;
  if (spec.name.empty()) {
    return Error{ErrorCode::kUsage, "neither package.json nor " + app->directory +
                                        " yields a name for the service; give one: --name NAME"};
  }
  spec.directory = app->directory;
  spec.script = app->script;
  spec.script_reason = app->reason;
  spec.script_environment = app->script_environment;
  spec.own_arguments = IsGiven(options, "arguments");
  if (!spec.own_arguments) spec.arguments = app->arguments;
  spec.script_node_arguments = app->node_arguments;
  spec.file_mask = OwnFileMask();
  if (spec.node.empty() && !app->node.empty()) {
    spec.node = app->node;
    request.given.emplace_back("node");
  }
  if (IsGiven(options, "node")) {
    auto node = ProgramPath("--node", spec.node, here, own);
    if (!node) return node.error();
    spec.node = *node;
  }
  if (IsGiven(options, "interpreter")) {
    auto program = ProgramPath("--interpreter", spec.interpreter, here, own);
    if (!program) return program.error();
    // By name, so that an upgrade that moves it is followed.
    if (spec.interpreter.find('/') != std::string::npos) spec.interpreter = *program;
  }
  if (IsGiven(options, "cwd")) {
    spec.cwd = AbsolutePath(spec.cwd, here);
    if (Status good = CheckFolder("--cwd", spec.cwd); !good) return good.error();
  }
  if (!spec.run_as.empty()) {
    if (::geteuid() != 0) {
      return Error{ErrorCode::kPermission, "--run-as needs root: sudo slc start ..."};
    }
    auto user = ResolveRunAs(spec.run_as);
    if (!user) return user.error().During("--run-as");
  }
  spec.caller_environment = foreground ? ForegroundEnvironment(own) : CallerEnvironment(own);
  if (foreground && !IsGiven(options, "port")) {
    const auto port = own.find("PORT");
    if (port != own.end()) {
      const auto number = ParseInteger(port->second, 1, 65535);
      if (!number) {
        return Error{ErrorCode::kUsage,
                     "PORT in the environment must be a number from 1 to 65535, not '" +
                         Printable(port->second) + "'"};
      }
      spec.port = static_cast<std::uint16_t>(*number);
      request.given.emplace_back("port");
    }
  }
  return request;
}

}  // namespace slc::ctl
