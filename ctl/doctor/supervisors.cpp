#include "ctl/doctor/supervisors.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <optional>

#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {
namespace {

std::string LinkTarget(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

// Of the copies that an upgrade keeps too, and of a file that was replaced since.
enum class Program { kOther, kSlcd, kMaster };
Program ProgramOf(const std::string& process) {
  const auto name = ReadFile(process + "/comm", 256);
  if (!name) return Program::kOther;
  if (Trim(*name) == "slcd") return Program::kSlcd;
  return StartsWith(*name, "slc-master") ? Program::kMaster : Program::kOther;
}

// "RUN/instances/7/master.sock", also of a folder that was removed: "RUN/instances/7 (deleted)".
ServiceId ServiceOf(const std::string& file, const std::string& run) {
  const std::string instances = run + "/instances/";
  if (!StartsWith(file, instances)) return 0;
  const std::string rest = file.substr(instances.size());
  const auto id = ParseInteger(rest.substr(0, rest.find_first_of("/ ")), 1, UINT32_MAX);
  return id ? static_cast<ServiceId>(*id) : 0;
}

std::optional<Supervisor> LookAt(pid_t pid, const HomePaths& paths) {
  const std::string process = "/proc/" + std::to_string(pid);
  const Program program = ProgramOf(process);
  if (program == Program::kOther) return std::nullopt;
  const UniqueFd folder(::open((process + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return std::nullopt;
  const auto names = ListDirectory(folder.get());
  if (!names) return std::nullopt;
  Supervisor found{pid, program == Program::kMaster, 0};
  bool ours = false;
  for (const std::string& name : *names) {
    const std::string file = LinkTarget(process + "/fd/" + name);
    ours = ours || StartsWith(file, paths.home + "/") || StartsWith(file, paths.run + "/");
    if (found.master && found.service == 0) found.service = ServiceOf(file, paths.run);
  }
  return ours ? std::optional<Supervisor>(found) : std::nullopt;
}

}  // namespace

std::vector<Supervisor> FindSupervisors(const HomePaths& paths) {
  // The kernel names what is open by its real path.
  HomePaths real = paths;
  for (std::string* path : {&real.home, &real.run}) {
    std::array<char, PATH_MAX> resolved{};
    if (::realpath(path->c_str(), resolved.data()) != nullptr) *path = resolved.data();
  }
  // A run folder that was removed has no real path any more.
  if (StartsWith(paths.run, paths.home + "/")) {
    real.run = real.home + paths.run.substr(paths.home.size());
  }
  std::vector<Supervisor> found;
  ProcessWalk walk;
  while (const pid_t pid = walk.Next()) {
    if (const auto supervisor = LookAt(pid, real)) found.push_back(*supervisor);
  }
  return found;
}

}  // namespace slc::ctl
