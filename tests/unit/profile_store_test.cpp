#include "daemon/profiles/profile_store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/wire/frame.h"
#include "daemon/profiles/pump.h"
#include "tests/unit/temp_folder.h"

namespace slc::profiles {
namespace {

Profile Draft(ServiceId service, const std::string& request = {}) {
  Profile profile;
  profile.service = service;
  profile.worker = 2;
  profile.started = 1000;
  profile.request = request;
  return profile;
}

Profile Placed(const ProfileStore& store, ServiceId service, const std::string& content) {
  auto profile = store.Reserve(Draft(service));
  REQUIRE(profile.ok());
  const auto part = store.MakePart(*profile);
  REQUIRE(part.ok());
  REQUIRE(WriteAll(part->get(), content).ok());
  profile->completed = 2000;
  profile->bytes = content.size();
  REQUIRE(store.Place(*profile).ok());
  return *profile;
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

const std::string kEnd(4, '\0');

// A pump between a socket, to which a worker would write, and a file.
struct Plumbing {
  explicit Plumbing(const PumpLimits& limits) : pump(pair.first.get(), file.get(), limits) {}
  void Say(const std::string& bytes) const { REQUIRE(WriteAll(pair.second.get(), bytes).ok()); }
  std::string Run() { return pump.Run(); }

  TempFolder folder;
  SocketPair pair = MakeSocketPair(SOCK_STREAM);
  UniqueFd file{::open((folder / "f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  Pump pump;
};

PumpLimits Limits() { return {1000, 5000, 10'000}; }

}  // namespace

TEST_CASE("a profile has a row before it has a file, and a number that is never given again") {
  const TempFolder home;
  const ProfileStore store(home.fd());
  CHECK(store.Services().empty());
  CHECK(store.List(0)->empty());
  const auto one = store.Reserve(Draft(3));
  REQUIRE(one.ok());
  CHECK(one->id == 1);
  CHECK_FALSE((*store.List(3))[0].over());
  CHECK(store.MakePart(*one).ok());
  CHECK_FALSE(store.Open(*one).ok());
  const Profile two = Placed(store, 4, "content");
  CHECK(two.id == 2);
  CHECK(home.Read("profiles/4/2.cpuprofile") == "content");
  CHECK(ModeOf(home / "profiles/4/2.cpuprofile") == 0600);
  CHECK(ModeOf(home / "profiles") == 0700);
  CHECK(store.List(0)->size() == 2);
  CHECK((*store.List(4))[0] == two);
  CHECK(store.Open(two).ok());
  REQUIRE(store.Remove(two).ok());
  REQUIRE(store.RemoveAll(3).ok());
  CHECK_FALSE(home.Has("profiles/3"));
  CHECK(store.List(0)->empty());
  CHECK(store.Reserve(Draft(3))->id == 3);
}

TEST_CASE("where the last number is lost, the highest there is counts") {
  const TempFolder home;
  const ProfileStore store(home.fd());
  Placed(store, 3, "a");
  Placed(store, 4, "b");
  home.Write("profiles/last.json", "{\"dam");
  CHECK(store.Reserve(Draft(3))->id == 3);
}

TEST_CASE("a request that comes again means the same profile") {
  const TempFolder home;
  const ProfileStore store(home.fd());
  CHECK(store.Reserve(Draft(3, "r1"))->id == 1);
  CHECK(store.Reserve(Draft(3, "r1"))->id == 1);
  CHECK(store.Reserve(Draft(3, "r2"))->id == 2);
}

TEST_CASE("of one that failed the reason stays, and no file") {
  const TempFolder home;
  const ProfileStore store(home.fd());
  auto profile = store.Reserve(Draft(3));
  REQUIRE(profile.ok());
  REQUIRE(WriteAll(store.MakePart(*profile)->get(), "half").ok());
  profile->errored = "the worker ended";
  REQUIRE(store.Fail(*profile).ok());
  CHECK_FALSE(home.Has("profiles/3/1.cpuprofile.part"));
  CHECK_FALSE(home.Has("profiles/3/1.cpuprofile"));
  CHECK((*store.List(3))[0].errored == "the worker ended");
}

TEST_CASE("what a slcd that was killed has left is removed, and what is whole stays") {
  const TempFolder home;
  const ProfileStore store(home.fd());
  const Profile whole = Placed(store, 3, "whole");
  const auto half = store.Reserve(Draft(3));
  REQUIRE(half.ok());
  REQUIRE(WriteAll(store.MakePart(*half)->get(), "half").ok());
  // Killed between the file's name and the record.
  const auto nearly = store.Reserve(Draft(3));
  REQUIRE(nearly.ok());
  home.Write("profiles/3/3.cpuprofile", "nearly");
  home.Write("profiles/3/9.json", "{\"dam");
  REQUIRE(store.RemoveLeftovers(3).ok());
  CHECK(home.Read("profiles/3/1.cpuprofile") == "whole");
  CHECK_FALSE(home.Has("profiles/3/2.cpuprofile.part"));
  CHECK_FALSE(home.Has("profiles/3/3.cpuprofile"));
  CHECK_FALSE(home.Has("profiles/3/9.json"));
  const auto list = store.List(3);
  REQUIRE(list.ok());
  REQUIRE(list->size() == 3);
  CHECK((*list)[0] == whole);
  CHECK_FALSE((*list)[1].over());
}

TEST_CASE("a result comes whole from the socket to the file") {
  Plumbing plumbing(Limits());
  plumbing.Say(EncodeFrame("one ") + EncodeFrame("two") + kEnd);
  CHECK(plumbing.Run().empty());
  CHECK(plumbing.folder.Read("f") == "one two");
  CHECK(plumbing.pump.bytes() == 7);
}

TEST_CASE("a result that is not whole has a reason") {
  SUBCASE("the worker has ended") {
    Plumbing plumbing(Limits());
    plumbing.Say(EncodeFrame("half"));
    plumbing.pair.second.reset();
    CHECK(plumbing.Run() == "the worker ended, or gave up, after " + FormatBytes(4) + " had come");
  }
  SUBCASE("the worker says so") {
    Plumbing plumbing(Limits());
    std::string frame = EncodeFrame("no memory");
    frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | 0x80U);
    plumbing.Say(frame);
    CHECK(plumbing.Run() == "the worker could not make it: no memory");
  }
  SUBCASE("it is larger than all may be") {
    Plumbing plumbing(Limits());
    plumbing.Say(EncodeFrame(std::string(1001, 'x')));
    CHECK(plumbing.Run().find("it is larger than " + FormatBytes(1000)) == 0);
  }
  SUBCASE("nothing comes any more") {
    Plumbing plumbing({1000, 50, 10'000});
    plumbing.Say(EncodeFrame("half"));
    CHECK(plumbing.Run().find("nothing has come for " + FormatSpan(50)) == 0);
  }
  SUBCASE("it comes drop by drop, without end") {
    Plumbing plumbing({1000, 5000, 50});
    plumbing.Say(EncodeFrame("half"));
    CHECK(plumbing.Run().find("it has not been whole within " + FormatSpan(50)) == 0);
  }
  SUBCASE("it cannot be written") {
    Plumbing plumbing(Limits());
    const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    Pump pump(plumbing.pair.first.get(), full.get(), Limits());
    plumbing.Say(EncodeFrame("one"));
    const std::string failure = pump.Run();
    CHECK_MESSAGE(failure.find("it cannot be written: ") == 0, failure);
    CHECK_MESSAGE(failure.find("No space left on device") != std::string::npos, failure);
  }
}

TEST_CASE("a pump that waits for the worker can be broken off") {
  Plumbing plumbing({1000, 60'000, 60'000});
  plumbing.Say(EncodeFrame("half"));
  auto failure = std::async(std::launch::async, [&] { return plumbing.Run(); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (plumbing.pump.bytes() < 4 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  plumbing.pump.Stop();
  CHECK(failure.get() == "it was broken off");
}

}  // namespace slc::profiles
