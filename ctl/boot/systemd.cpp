#include "ctl/boot/systemd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "common/base/environment.h"
#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "ctl/connect.h"

namespace slc::ctl {
namespace {

constexpr const char* kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string Own(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The folder of the node in our PATH, without symbolic links: those of version managers last no
// longer than the shell. Empty if there is no node.
std::string NodeFolder() {
  const auto node = FindProgram("node", Own("PATH"));
  if (!node) return {};
  const std::string folder = node->substr(0, node->rfind('/'));
  std::array<char, PATH_MAX> real{};
  return ::realpath(folder.c_str(), real.data()) != nullptr ? real.data() : folder;
}

std::string UserConfig() {
  std::string set = Own("XDG_CONFIG_HOME");
  if (!set.empty() && set[0] == '/') return set;
  const std::string home = Own("HOME");
  return (home.empty() ? LookUpUser(::geteuid()).home : home) + "/.config";
}

// systemctl --user finds the user's systemd by this; `su` and `sudo` do not set it.
Environment ProgramEnvironment() {
  Environment environment = OwnEnvironment();
  const std::string place = "/run/user/" + std::to_string(::geteuid());
  if (environment.count("XDG_RUNTIME_DIR") == 0 && ::access(place.c_str(), X_OK) == 0) {
    environment["XDG_RUNTIME_DIR"] = place;
  }
  return environment;
}

Status RunWith(const Words& command, std::vector<std::pair<int, int>> descriptors) {
  const std::string what = Join(command, " ");
  SpawnOptions options;
  auto program = FindProgram(command[0], kUsualPath);
  if (!program) return program.error().During(what);
  options.program = *program;
  options.arguments = command;
  options.environment = ToBlock(ProgramEnvironment());
  options.descriptors = std::move(descriptors);
  options.new_session = false;
  auto process = Spawn(options);
  if (!process) return process.error();
  HasEnded(process->pidfd, -1);
  const int code = ShellExitCode(Reap(process->pidfd).value_or(0));
  if (code == 0) return Ok();
  return Error{ErrorCode::kSystem, what + ": exit code " + std::to_string(code)};
}

}  // namespace

bool SystemdRuns() {
  struct stat info {};
  return ::lstat("/run/systemd/system", &info) == 0 && S_ISDIR(info.st_mode);
}

Result<Unit> MakeUnit(const std::string& name, bool user) {
  Unit unit;
  unit.name = name;
  unit.user = user;
  auto paths = LocateOwnHome();
  if (!paths) return paths.error();
  unit.home = paths->home;
  auto slcd = DaemonProgram();
  if (!slcd) return slcd.error();
  unit.slcd = *slcd;
  unit.slc = OwnDirectory() + "/slc";
  const std::string node = NodeFolder();
  const auto usual = Split(kUsualPath, ':');
  const bool known = node.empty() || std::find(usual.begin(), usual.end(), node) != usual.end();
  unit.path = (known ? "" : node + ":") + kUsualPath;
  return unit;
}

std::string OwnUnitFile(const Unit& unit) { return UnitFile(unit, UserConfig()); }

std::optional<Unit> FindUnit(const std::string& home) {
  Unit unit;
  unit.user = ::geteuid() != 0;
  const std::string file = OwnUnitFile(unit);
  const std::string folder_path = file.substr(0, file.rfind('/'));
  const UniqueFd folder(::open(folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return std::nullopt;
  const auto names = ListDirectory(folder.get());
  if (!names) return std::nullopt;
  constexpr std::string_view kSuffix = ".service";
  for (const std::string& name : *names) {
    if (!EndsWith(name, kSuffix)) continue;
    const auto text = ReadFileAt(folder.get(), name, 1U << 16);
    if (!text || !IsOurUnit(*text) || UnitVariable(*text, "SLC_HOME") != home) continue;
    unit.name = name.substr(0, name.size() - kSuffix.size());
    unit.home = home;
    unit.path = UnitVariable(*text, "PATH");
    return unit;
  }
  return std::nullopt;
}

Status RunToEnd(const Words& command, bool quiet) {
  if (quiet) return RunWith(command, {});
  return RunWith(command, {{STDERR_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}});
}

Result<std::string> CaptureOutput(const Words& command) {
  const UniqueFd output(::memfd_create("slc-output", MFD_CLOEXEC));
  if (!output) return SystemError("memfd_create", errno);
  if (Status ran = RunWith(command, {{output.get(), STDOUT_FILENO}}); !ran) return ran.error();
  return ReadFile("/proc/self/fd/" + std::to_string(output.get()));
}

}  // namespace slc::ctl
