#include "common/base/home.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "common/base/files.h"
#include "common/base/safe_place.h"
#include "common/base/spawn.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kRootHome = "/var/lib/slc";

}  // namespace

Result<HomePaths> LocateHome(const std::string& slc_home, const std::string& user_home, bool root) {
  // Named or not, root's home is the same: units and masters name it.
  if (root && (slc_home.empty() || slc_home == kRootHome)) return HomePaths{kRootHome, "/run/slc"};
  if (!slc_home.empty()) return HomePaths{slc_home, slc_home + "/run"};
  if (user_home.empty()) {
    return Error{ErrorCode::kNotFound,
                 "neither SLC_HOME nor HOME is set, so there is no place for slc's files; set one"};
  }
  return HomePaths{user_home + "/.slc", user_home + "/.slc/run"};
}

Result<HomePaths> LocateOwnHome() {
  const char* set = std::getenv("SLC_HOME");
  const char* user_home = std::getenv("HOME");
  std::string chosen = set != nullptr ? set : "";
  if (!chosen.empty() && chosen[0] != '/') {
    std::array<char, 4096> here{};
    if (::getcwd(here.data(), here.size()) == nullptr)
      return SystemError("current directory", errno);
    chosen = std::string(here.data()) + "/" + chosen;
  }
  while (chosen.size() > 1 && chosen.back() == '/') chosen.pop_back();
  return LocateHome(chosen, user_home != nullptr ? user_home : LookUpUser(::geteuid()).home,
                    ::geteuid() == 0);
}

Result<HomeDirectories> OpenHome(const HomePaths& paths) {
  HomeDirectories open;
  for (const std::string& place : {paths.home, paths.run}) {
    if (Status safe = CheckSafePlace(place); !safe) return safe.error();
  }
  auto home = OpenPrivateDirectory(paths.home, true);
  if (!home) return home.error();
  auto run = OpenPrivateDirectory(paths.run, true);
  if (!run) return run.error();
  auto services = OpenPrivateDirectoryAt(home->get(), "services", true);
  if (!services) return services.error().During(paths.home);
  auto logs = OpenPrivateDirectoryAt(home->get(), "logs", true);
  if (!logs) return logs.error().During(paths.home);
  auto instances = OpenPrivateDirectoryAt(run->get(), "instances", true);
  if (!instances) return instances.error().During(paths.run);
  open.home = std::move(*home);
  open.run = std::move(*run);
  open.services = std::move(*services);
  open.logs = std::move(*logs);
  open.instances = std::move(*instances);
  return open;
}

bool HomeHasServices(const HomePaths& paths) {
  UniqueFd services(::open((paths.home + "/services").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!services) return false;
  auto names = ListDirectory(services.get());
  if (!names) return false;
  for (const std::string& name : *names) {
    // The latter: one whose file was damaged, of which a master may live.
    if (EndsWith(name, ".json") || EndsWith(name, ".json.bad")) return true;
  }
  return false;
}

bool HomeHasMasters(const HomePaths& paths) {
  UniqueFd instances(
      ::open((paths.run + "/instances").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!instances) return false;
  auto names = ListDirectory(instances.get());
  return names && !names->empty();
}

}  // namespace slc
