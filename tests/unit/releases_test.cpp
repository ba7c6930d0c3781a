#include "daemon/deploy/core/releases.h"

#include <doctest/doctest.h>

using namespace slc;
using namespace slc::deploy;

namespace {

std::string Hash(std::uint32_t number) {
  return std::string(39, 'a') + std::to_string(number % 10);
}

Release Numbered(std::uint32_t number, ReleaseState state = ReleaseState::kProven) {
  Release release;
  release.number = number;
  release.name = release.hash = Hash(number);
  release.state = state;
  return release;
}

std::vector<Release> UpTo(std::uint32_t last) {
  std::vector<Release> releases;
  for (std::uint32_t number = 1; number <= last; ++number) releases.push_back(Numbered(number));
  return releases;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the newest releases are kept, and those that are needed") {
  CHECK(Surplus(UpTo(5), Hash(5), {}, 5) == Names{});
  CHECK(Surplus(UpTo(8), Hash(8), {}, 5) == Names{Hash(3), Hash(2), Hash(1)});
  // One that was rolled back to, and the one that another rollback would go to.
  CHECK(Surplus(UpTo(8), Hash(3), {}, 5) == Names{Hash(1)});
  CHECK(Surplus(UpTo(8), Hash(1), {}, 5) == Names{Hash(3), Hash(2)});
  CHECK(Surplus(UpTo(8), Hash(8), {Hash(2)}, 5) == Names{Hash(3), Hash(1)});
  CHECK(Surplus(UpTo(3), Hash(3), {}, 1) == Names{Hash(1)});
  CHECK(Surplus(UpTo(3), Hash(3), {}, 0) == Names{Hash(1)});
  // One that is not proven is another's to remove, and takes no place.
  auto releases = UpTo(6);
  releases.push_back(Numbered(7, ReleaseState::kPreparing));
  CHECK(Surplus(releases, Hash(6), {}, 5) == Names{Hash(1)});
  CHECK(Surplus({}, "", {}, 5) == Names{});
}

TEST_CASE("a rollback goes to the release before, if it is proven") {
  auto releases = UpTo(4);
  releases[2].state = ReleaseState::kPreparing;
  CHECK(RollbackTarget(releases, Hash(4))->number == 2);
  CHECK(RollbackTarget(releases, Hash(2))->number == 1);
  CHECK_FALSE(RollbackTarget(releases, Hash(1)));
  // What runs is none of them: a folder in place.
  CHECK(RollbackTarget(releases, "")->number == 4);
  CHECK_FALSE(RollbackTarget({}, ""));
}

TEST_CASE("at a start goes what no deploy is under way with") {
  ReleaseFolder folder;
  folder.names = {".staging-abc",    Hash(1),           Hash(1) + ".json",
                  Hash(2),           Hash(3),           Hash(3) + ".json",
                  Hash(4),           Hash(4) + ".json", Hash(5) + ".json",
                  Hash(6) + ".json", Hash(7),           Hash(7) + ".json",
                  "deploy.json",     "deploy.json.tmp", Hash(8) + ".json.tmp",
                  "notes.txt",       Hash(9) + ".2",    Hash(9) + ".2.json"};
  folder.releases = {Numbered(1), Numbered(3, ReleaseState::kPreparing),
                     Numbered(4, ReleaseState::kPreparing), Numbered(5), Numbered(6)};
  folder.releases.back().origin = ReleaseOrigin::kFolder;
  folder.in_use = {Hash(4)};
  // 2 has no record, 3 was never proven, 4 is in use, of 5 only the record is there, 6 is run in
  // place, and of 7 and 9 the record is damaged.
  CHECK(Leftovers(folder) == Names{".staging-abc", Hash(2), Hash(3), Hash(3) + ".json",
                                   Hash(5) + ".json", "deploy.json.tmp", Hash(8) + ".json.tmp"});
  // What is in service stays, whatever its record says, and without one.
  folder.in_use = {Hash(2), Hash(3), Hash(4), Hash(5)};
  CHECK(Leftovers(folder) == Names{".staging-abc", "deploy.json.tmp", Hash(8) + ".json.tmp"});
}

TEST_CASE("names of releases and of staging folders") {
  CHECK(*StagingName("0123abc-_X") == ".staging-0123abc-_X");
  for (const char* request : {"", "a/b", "..", "a b", "\xff"}) CHECK_FALSE(StagingName(request));
  CHECK_FALSE(StagingName(std::string(65, 'a')).ok());
  CHECK(FreeName("abcd1234", {"other"}) == "abcd1234");
  CHECK(FreeName("abcd1234", {"abcd1234"}) == "abcd1234.2");
  CHECK(FreeName("abcd1234", {"abcd1234.json", "abcd1234.2"}) == "abcd1234.3");
  CHECK(NextNumber({}) == 1);
  CHECK(NextNumber({Numbered(7), Numbered(3)}) == 8);
  CHECK(IsReleaseName(Hash(1)));
  CHECK(IsReleaseName(Hash(1) + ".2"));
  for (const char* name : {"", ".", "..", "abc", "abcd1234.", "abcd1234.1", "abcd1234.02x",
                           "ABCD1234", "abcd1234/..", ".staging-abcd1234", "abcd1234.json"}) {
    CAPTURE(name);
    CHECK_FALSE(IsReleaseName(name));
  }
}

TEST_CASE("a release is found by its number, its name or the beginning of its hash") {
  auto releases = UpTo(3);
  releases[2].name = releases[2].hash = "1234" + std::string(36, 'c');
  CHECK(FindRelease(releases, "2")->number == 2);
  CHECK(FindRelease(releases, Hash(1))->number == 1);
  CHECK(FindRelease(releases, "1234c")->number == 3);
  CHECK(FindRelease(releases, "1234")->number == 3);
  CHECK(FindRelease(releases, "aaaa").error().code == ErrorCode::kConflict);
  CHECK(FindRelease(releases, "123").error().code == ErrorCode::kNotFound);
  CHECK(FindRelease(releases, "9").error().message.find("there are 3 (1234ccccc") !=
        std::string::npos);
  CHECK(FindRelease({}, "1").error().message.find("none at all") != std::string::npos);
}

TEST_CASE("a release's record is read back, and damage is known") {
  Release release = Numbered(3);
  release.sha256 = std::string(64, 'b');
  release.origin = ReleaseOrigin::kGit;
  release.branch = "deploy";
  release.by = "uid 1000 (me)";
  release.when = 1'750'000'000'000;
  release.bytes = 123;
  release.entries = 4;
  release.npm = "npm ci --omit=dev";
  release.npm_reason = "because";
  const std::string text = EncodeRelease(release);
  CHECK(*DecodeRelease(text) == release);
  std::string damaged = text;
  damaged.replace(damaged.find("\"deploy\""), 8, "\"delpoy\"");
  CHECK(DecodeRelease(damaged).error().message.find("checksum") != std::string::npos);
  release.name = "../../etc";
  CHECK_FALSE(DecodeRelease(EncodeRelease(release)).ok());
  std::string newer = text;
  newer.replace(newer.find("\"schema\": 1"), 11, "\"schema\": 2");
  CHECK(DecodeRelease(newer).error().code == ErrorCode::kProtocol);
}
