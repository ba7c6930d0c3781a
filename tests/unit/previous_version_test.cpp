// Giving way to the version before. The program that is on trial is the one that runs these tests.
#include "daemon/previous_version.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "daemon/trial_file.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

// A home whose slcd has failed its trial. The version before it exits with 0.
struct Stage {
  Stage() {
    const auto made = OpenPrivateDirectory(home + "/previous", true);
    REQUIRE(made);
    const auto program = ReadFile("/bin/true");
    REQUIRE(program);
    const UniqueFd file(
        ::openat(made->get(), "slcd", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
    REQUIRE(WriteAll(file.get(), *program));
    Trial trial;
    trial.binary = BinaryId("/proc/self/exe");
    trial.failed = true;
    REQUIRE(TrialFile(home + "/previous").Write(trial));
  }
  TempFolder folder;
  std::string home = folder / "home";
};

constexpr int kStayed = 7;
constexpr int kSaidWhy = 8;

// What becomes of a process that looks whether it is to give way.
template <typename Before>
int Outcome(const Stage& stage, Before before) {
  const pid_t child = ::fork();
  if (child == 0) {
    before();
    ::_exit(GiveWayIfFailed(stage.home, false) ? kStayed : kSaidWhy);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("What has failed becomes the version before") {
  const Stage stage;
  CHECK(Outcome(stage, [] {}) == 0);
}

TEST_CASE("Nothing is executed from a home that others could have put there") {
  const Stage stage;
  REQUIRE(::chmod(stage.folder.path().c_str(), 0777) == 0);
  CHECK(Outcome(stage, [] {}) == kStayed);
  REQUIRE(::chmod(stage.folder.path().c_str(), 0700) == 0);
  REQUIRE(::chmod(stage.home.c_str(), 0777) == 0);
  CHECK(Outcome(stage, [] {}) == kStayed);
}

TEST_CASE("Nothing is executed that others could have written, or that is no file") {
  const Stage stage;
  const std::string program = stage.home + "/previous/slcd";
  REQUIRE(::chmod(program.c_str(), 0722) == 0);
  CHECK(Outcome(stage, [] {}) == kSaidWhy);
  REQUIRE(::unlink(program.c_str()) == 0);
  REQUIRE(::symlink("/bin/true", program.c_str()) == 0);
  CHECK(Outcome(stage, [] {}) == kSaidWhy);
}

TEST_CASE("Whether there is a trial is not known where nothing can be opened, and that is said") {
  const Stage stage;
  const auto leave = [](rlim_t free) {
    const UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(next.get()) + free;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  };
  const std::string damaged = stage.home + "/previous/trial.json";
  CHECK(Outcome(stage, [&] { leave(1); }) == kSaidWhy);
  CHECK(Outcome(stage, [&] {
          const UniqueFd file(::open(damaged.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
        }) == kSaidWhy);
}
}  // namespace slc
