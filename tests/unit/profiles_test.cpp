#include <algorithm>

#include <doctest/doctest.h>

#include "common/model/json.h"
#include "daemon/gateway/core/download.h"
#include "daemon/profiles/core/shelf.h"

namespace slc::profiles {
namespace {

Profile Made(ProfileId id, ServiceId service, std::uint64_t bytes) {
  Profile profile;
  profile.id = id;
  profile.service = service;
  profile.worker = 1;
  profile.started = 1000;
  profile.completed = bytes > 0 ? 2000 : 0;
  profile.bytes = bytes;
  if (bytes == 0) profile.errored = "the worker ended";
  return profile;
}

std::vector<ProfileId> GoneOf(ProfileList profiles, const ShelfBounds& bounds) {
  std::vector<ProfileId> ids;
  for (const Profile& profile : Surplus(std::move(profiles), bounds)) ids.push_back(profile.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

using Ids = std::vector<ProfileId>;

}  // namespace

TEST_CASE("of each service the newest profiles stay") {
  ProfileList all;
  for (ProfileId id = 1; id <= 5; ++id) all.push_back(Made(id, 1, 10));
  all.push_back(Made(6, 2, 10));
  CHECK(GoneOf(all, {5, 1000}).empty());
  CHECK(GoneOf(all, {3, 1000}) == Ids{1, 2});
  std::reverse(all.begin(), all.end());
  CHECK(GoneOf(all, {1, 1000}) == Ids{1, 2, 3, 4});
}

TEST_CASE("those that failed push none out that is whole, and are bounded as well") {
  ProfileList all;
  for (ProfileId id = 1; id <= 3; ++id) all.push_back(Made(id, 1, 10));
  for (ProfileId id = 4; id <= 6; ++id) all.push_back(Made(id, 1, 0));
  CHECK(GoneOf(all, {3, 1000}).empty());
  CHECK(GoneOf(all, {2, 1000}) == Ids{1, 4});
}

TEST_CASE("of all the oldest go until the files fit") {
  const ProfileList all{Made(1, 1, 10), Made(2, 2, 40), Made(3, 1, 0), Made(4, 1, 50),
                        Made(5, 2, 30)};
  CHECK(GoneOf(all, {20, 130}).empty());
  CHECK(GoneOf(all, {20, 129}) == Ids{1});
  CHECK(GoneOf(all, {20, 120}) == Ids{1});
  // The oldest one would fit beside the newest two, but is older than one that does not.
  CHECK(GoneOf(all, {20, 119}) == Ids{1, 2});
  CHECK(GoneOf(all, {20, 79}) == Ids{1, 2, 4});
  CHECK(GoneOf(all, {20, 10}) == Ids{1, 2, 4, 5});
}

TEST_CASE("those beyond the number count for nothing in the size") {
  const ProfileList all{Made(1, 2, 50), Made(2, 1, 90), Made(3, 1, 50)};
  CHECK(GoneOf(all, {1, 100}) == Ids{2});
}

TEST_CASE("what belongs to no whole profile is left over, and nothing else") {
  Profile under_way = Made(4, 1, 0);
  under_way.errored.clear();
  Profile heap = Made(6, 1, 10);
  heap.type = ProfileType::kHeap;
  const ShelfFolder folder{
      {"1.cpuprofile", "1.json", "2.json", "3.cpuprofile", "4.cpuprofile", "4.cpuprofile.part",
       "4.json", "5.cpuprofile", "5.json", "6.cpuprofile", "6.heapsnapshot", "6.json", "7.json.tmp",
       "8.json", "notes.txt", "0.json", "9.txt"},
      {Made(1, 1, 10), Made(2, 1, 0), under_way, heap},
      {5}};
  CHECK(Leftovers(folder) == std::vector<std::string>{"3.cpuprofile", "4.cpuprofile",
                                                      "4.cpuprofile.part", "6.cpuprofile",
                                                      "7.json.tmp", "8.json"});
  CHECK(HighestId(folder.names) == 9);
  CHECK(HighestId({"notes.txt", "-1.json", "99999999999.json"}) == 0);
}

TEST_CASE("a profile's record tells what was recorded, and a damaged one is known") {
  Profile profile = Made(7, 3, 1ULL << 40);
  profile.pid = 4711;
  profile.type = ProfileType::kHeap;
  profile.by = "token ci";
  profile.request = "abc";
  const std::string text = EncodeProfile(profile);
  const auto read = DecodeProfile(text);
  REQUIRE(read.ok());
  CHECK(*read == profile);
  std::string damaged = text;
  damaged.replace(damaged.find("4711"), 4, "4712");
  CHECK(DecodeProfile(damaged).error().code == ErrorCode::kInvalid);
  std::string newer = text;
  newer.replace(newer.find("\"schema\": 1"), 11, "\"schema\": 2");
  CHECK(DecodeProfile(newer).error().code == ErrorCode::kProtocol);
  CHECK_FALSE(DecodeProfile("{}").ok());
  CHECK(FileNameOf(profile) == "7.heapsnapshot");
  CHECK(PartName(profile) == "7.heapsnapshot.part");
}

TEST_CASE("the answer that brings a file names it, and is kept by nobody") {
  const http::Response head = gateway::DownloadHead(Made(7, 3, 10));
  CHECK(head.type == "application/octet-stream");
  REQUIRE(head.headers.size() == 2);
  CHECK(head.headers[0].value == "attachment; filename=\"profile.7.cpuprofile\"");
  CHECK(head.headers[1].value == "no-store");
}

}  // namespace slc::profiles
