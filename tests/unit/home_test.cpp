#include "common/base/home.h"

#include <map>
#include <optional>

#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

using Variables = std::map<std::string, std::optional<std::string>>;

// Sets variables for the life of a test case.
class WithVariables {
 public:
  explicit WithVariables(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      const char* before = std::getenv(name.c_str());
      before_[name] = before == nullptr ? std::nullopt : std::optional<std::string>(before);
      Set(name, value);
    }
  }
  ~WithVariables() {
    for (const auto& [name, value] : before_) Set(name, value);
  }
  WithVariables(const WithVariables&) = delete;
  WithVariables& operator=(const WithVariables&) = delete;

 private:
  static void Set(const std::string& name, const std::optional<std::string>& value) {
    if (value) {
      ::setenv(name.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name.c_str());
    }
  }
  Variables before_;
};

}  // namespace

TEST_CASE("Home is $SLC_HOME, else of root under /var/lib and /run, else under ~") {
  CHECK(LocateHome("/x", "/home/u", false)->home == "/x");
  CHECK(LocateHome("/x", "", true)->run == "/x/run");
  CHECK(LocateHome("", "/root", true)->home == "/var/lib/slc");
  CHECK(LocateHome("", "/root", true)->run == "/run/slc");
  // Whoever names the default means the default: masters and systemd's unit do.
  CHECK(LocateHome("/var/lib/slc", "/root", true)->run == "/run/slc");
  CHECK(LocateHome("/var/lib/slc", "/home/u", false)->run == "/var/lib/slc/run");
  CHECK(LocateHome("", "/home/u", false)->home == "/home/u/.slc");
  CHECK(LocateHome("", "/home/u", false)->run == "/home/u/.slc/run");
  CHECK(LocateHome("", "", false).error().code == ErrorCode::kNotFound);
}

TEST_CASE("A relative SLC_HOME is below the current folder, slashes at its end do not count") {
  TempFolder folder;
  REQUIRE(::chdir(folder.path().c_str()) == 0);
  {
    const WithVariables set(Variables{{"SLC_HOME", "a/b//"}});
    CHECK(LocateOwnHome()->home == folder / "a/b");
  }
  {
    const WithVariables set(Variables{{"SLC_HOME", "/"}});
    CHECK(LocateOwnHome()->home == "/");
  }
  {
    const WithVariables set(Variables{{"SLC_HOME", ""}, {"HOME", std::nullopt}});
    CHECK(LocateOwnHome().ok());
  }
  REQUIRE(::chdir("/") == 0);
}

TEST_CASE("A home is made with all that belongs in it, each folder private") {
  TempFolder folder;
  const HomePaths paths{folder / "home", folder / "home/run"};
  CHECK_FALSE(HomeHasServices(paths));
  {
    auto open = OpenHome(paths);
    REQUIRE(open);
    CHECK(open->instances);
  }
  for (const char* part : {"", "services", "logs", "run", "run/instances"}) {
    struct stat info {};
    REQUIRE(::stat((paths.home + "/" + part).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
  }
  CHECK_FALSE(HomeHasServices(paths));
  folder.Write("home/services/last-id", "7\n");
  folder.Write("home/services/7.json.prev", "{}");
  CHECK_FALSE(HomeHasServices(paths));
  folder.Write("home/services/8.json", "{}");
  CHECK(HomeHasServices(paths));
  CHECK(OpenHome(paths));
  REQUIRE(::chmod((folder / "home/run").c_str(), 0777) == 0);
  CHECK(OpenHome(paths).error().code == ErrorCode::kPermission);
}

}  // namespace slc
