#include "daemon/deploy/release_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "daemon/deploy/core/releases.h"
#include "tests/unit/temp_folder.h"

using namespace slc;
using namespace slc::deploy;

namespace {

constexpr ServiceId kService = 3;

Release OfHash(char digit) {
  Release release;
  release.hash = std::string(40, digit);
  return release;
}

// As a deploy makes it: a staging folder, the name, its place.
Release MakeRelease(const ReleaseStore& store, char digit, const std::string& request,
                    ReleaseState state = ReleaseState::kProven) {
  Release release = OfHash(digit);
  release.state = state;
  const auto staging = store.MakeStaging(kService, request, std::nullopt);
  REQUIRE(staging.ok());
  REQUIRE(store.Name(kService, release).ok());
  REQUIRE(store.Place(kService, request, release).ok());
  return release;
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

bool IsThere(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

TEST_CASE("a release has a folder and a record, and the next one the next number") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  CHECK(store.Services().empty());
  CHECK(store.List(kService)->empty());
  const Release one = MakeRelease(store, 'a', "first");
  CHECK(one.number == 1);
  CHECK(one.name == one.hash);
  // The same archive once more is another release.
  const Release two = MakeRelease(store, 'a', "second");
  CHECK(two.number == 2);
  CHECK(two.name == one.hash + ".2");
  const auto list = store.List(kService);
  REQUIRE(list.ok());
  REQUIRE(list->size() == 2);
  CHECK((*list)[0] == two);
  CHECK((*list)[1] == one);
  CHECK(store.Services() == std::vector<ServiceId>{kService});
  const std::string path = store.PathOf(kService, one.name);
  CHECK(IsThere(path));
  CHECK(ModeOf(path) == 0700);
  CHECK(store.ReleaseIn(kService, path) == one.name);
  CHECK(store.ReleaseIn(kService, path + "/sub").empty());
  CHECK(store.ReleaseIn(kService + 1, path).empty());
  CHECK(store.ReleaseIn(kService, "/srv/app").empty());
  CHECK(store.ReleaseHolding(kService, path + "/sub") == one.name);
  CHECK(store.ReleaseHolding(kService, path) == one.name);
  CHECK(store.ReleaseHolding(kService, "/srv/app").empty());
  CHECK(store.Open(kService, one.name).ok());
  CHECK_FALSE(store.Open(kService, "b").ok());
}

TEST_CASE("a folder that is run in place is one release, however often it is deployed") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  Release folder = ReleaseStore::OfFolder("/srv/app");
  REQUIRE(store.Name(kService, folder).ok());
  CHECK(folder.number == 1);
  folder.state = ReleaseState::kProven;
  REQUIRE(store.Write(kService, folder).ok());
  MakeRelease(store, 'b', "between");
  Release again = ReleaseStore::OfFolder("/srv/app");
  REQUIRE(store.Name(kService, again).ok());
  CHECK(again == folder);
  Release other = ReleaseStore::OfFolder("/srv/other");
  REQUIRE(store.Name(kService, other).ok());
  CHECK(other.number == 3);
}

TEST_CASE("what is not whole is no release, and goes when slcd starts") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  const Release kept = MakeRelease(store, 'a', "one");
  const Release failed = MakeRelease(store, 'b', "two", ReleaseState::kPreparing);
  const Release used = MakeRelease(store, 'c', "three", ReleaseState::kPreparing);
  const Release damaged = MakeRelease(store, 'd', "four");
  REQUIRE(store.MakeStaging(kService, "five", std::nullopt).ok());
  const std::string folder = store.PathOf(kService, "");
  REQUIRE(::truncate((folder + damaged.name + ".json").c_str(), 10) == 0);
  REQUIRE(store.List(kService)->size() == 3);
  REQUIRE(store.RemoveLeftovers(kService, {used.name}).ok());
  CHECK(IsThere(folder + kept.name));
  CHECK_FALSE(IsThere(folder + failed.name));
  CHECK_FALSE(IsThere(folder + failed.name + ".json"));
  CHECK(IsThere(folder + used.name));
  // For people to look at.
  CHECK(IsThere(folder + damaged.name));
  CHECK_FALSE(IsThere(folder + *StagingName("five")));
  REQUIRE(store.RemoveAll(kService).ok());
  CHECK_FALSE(IsThere(folder));
  CHECK(store.RemoveAll(kService).ok());
}

TEST_CASE("a release that failed goes with its record and its staging folder, and no other does") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  const Release one = MakeRelease(store, 'a', "one");
  const Release two = MakeRelease(store, 'b', "two", ReleaseState::kPreparing);
  REQUIRE(store.MakeStaging(kService, "two", std::nullopt).ok());
  REQUIRE(store.MakeStaging(kService, "three", std::nullopt).ok());
  REQUIRE(store.Remove(kService, two.name, "two").ok());
  const std::string folder = store.PathOf(kService, "");
  CHECK_FALSE(IsThere(folder + two.name));
  CHECK_FALSE(IsThere(folder + *StagingName("two")));
  CHECK(IsThere(folder + *StagingName("three")));
  CHECK(IsThere(folder + one.name));
  // What is no name of a release is not taken for one.
  REQUIRE(store.Remove(kService, "..", "../x").ok());
  REQUIRE(store.Remove(kService, "", "").ok());
  CHECK(IsThere(folder + one.name));
  CHECK(store.List(kService)->size() == 1);
}

TEST_CASE("no request names a folder outside") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  for (const char* request : {"", "..", "a/b", "../../x", "a.b"}) {
    const auto staging = store.MakeStaging(kService, request, std::nullopt);
    REQUIRE_FALSE(staging.ok());
    CHECK(staging.error().code == ErrorCode::kInvalid);
  }
  const auto once = store.MakeStaging(kService, "same", std::nullopt);
  CHECK(once.ok());
  CHECK(store.MakeStaging(kService, "same", std::nullopt).error().code == ErrorCode::kStorage);
}

TEST_CASE("the record of a deploy is there until it is forgotten") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  CHECK_FALSE(store.ReadDeploy(kService)->has_value());
  DeployRecord record;
  record.request = "r1";
  record.step = DeployStep::kRolling;
  record.release = std::string(40, 'a');
  record.by = "user root";
  REQUIRE(store.WriteDeploy(kService, record).ok());
  auto read = store.ReadDeploy(kService);
  REQUIRE(read.ok());
  REQUIRE(read->has_value());
  CHECK((*read)->step == DeployStep::kRolling);
  CHECK((*read)->release == record.release);
  CHECK((*read)->by == "user root");
  CHECK(store.Services() == std::vector<ServiceId>{kService});
  home.Write("releases/3/deploy.json", "{\"half\":");
  CHECK_FALSE(store.ReadDeploy(kService).ok());
  REQUIRE(store.ForgetDeploy(kService).ok());
  CHECK_FALSE(store.ReadDeploy(kService)->has_value());
  CHECK(store.ForgetDeploy(kService).ok());
}

TEST_CASE("the folders down to a release are for nobody else, but where the app has a user") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  REQUIRE(store.MakeStaging(kService, "one", std::nullopt).ok());
  CHECK(ModeOf(home / "releases") == 0700);
  RunAs user;
  user.uid = ::geteuid();
  user.gid = ::getegid();
  REQUIRE(store.MakeStaging(kService, "two", user).ok());
  CHECK(ModeOf(home / "releases") == 0711);
  CHECK(ModeOf(home / "releases/3") == 0711);
  CHECK(ModeOf(store.PathOf(kService, *StagingName("two"))) == 0700);
}

TEST_CASE("a repository to push to is made once, and anew if it was not finished") {
  const TempFolder home;
  const ReleaseStore store(home.fd(), home.path());
  const auto made = store.MakeRepository(kService, std::nullopt);
  REQUIRE(made.ok());
  CHECK(*made == store.PathOf(kService, "git"));
  CHECK(IsThere(*made + "/objects"));
  home.Write("releases/3/git/mark", "kept");
  REQUIRE(store.MakeRepository(kService, std::nullopt).ok());
  CHECK(IsThere(*made + "/mark"));
  REQUIRE(::unlink((*made + "/HEAD").c_str()) == 0);
  REQUIRE(store.MakeRepository(kService, std::nullopt).ok());
  CHECK(IsThere(*made + "/HEAD"));
  CHECK_FALSE(IsThere(*made + "/mark"));
}
