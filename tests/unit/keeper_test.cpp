#include "daemon/keeper.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "tests/unit/notify_listener.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

UniqueFd NewFile() { return UniqueFd(::memfd_create("kept", MFD_CLOEXEC)); }

struct Stage {
  TempFolder folder;
  NotifyListener systemd{folder / "notify"};
  uv::Loop loop;
  FdStore store{loop, true};
  Keeper keeper{store, KeptPrefix(7)};
};

constexpr const char* kNothing = "(nothing)";

}  // namespace

TEST_CASE("What a keeper holds, systemd holds too, and lets go of it with the keeper") {
  Stage stage;
  stage.keeper.Store("state", NewFile());
  const auto said = stage.systemd.Next();
  CHECK(said.text == "FDSTORE=1\nFDNAME=kept/7/state");
  CHECK(said.fds.size() == 1);
  stage.keeper.Drop("state");
  CHECK(stage.systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/state");
  stage.keeper.Drop("state");
  CHECK(stage.systemd.Next().text == kNothing);
  stage.keeper.Store("a", NewFile());
  stage.keeper.Clear();
  CHECK(stage.systemd.Next().text == "FDSTORE=1\nFDNAME=kept/7/a");
  CHECK(stage.systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/a");
}

TEST_CASE("One descriptor that is left, for the message, is enough to have systemd keep another") {
  Stage stage;
  UniqueFd file = NewFile();
  UniqueFd next(::dup(file.get()));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(next.get()) + 1;
  next.reset();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  stage.keeper.Store("state", std::move(file));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  const auto said = stage.systemd.Next();
  CHECK(said.text == "FDSTORE=1\nFDNAME=kept/7/state");
  CHECK(said.fds.size() == 1);
}

TEST_CASE("The same file again is no news, another one of the name replaces it") {
  Stage stage;
  const UniqueFd file = NewFile();
  stage.keeper.Inherit("state", file.Duplicate());
  CHECK(stage.systemd.Next().text == kNothing);
  stage.keeper.Store("state", file.Duplicate());
  CHECK(stage.systemd.Next().text == kNothing);
  stage.keeper.Store("state", NewFile());
  CHECK(stage.systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/state");
  CHECK(stage.systemd.Next().text == "FDSTORE=1\nFDNAME=kept/7/state");
}

TEST_CASE("After a renewal there is only what was stored in it") {
  Stage stage;
  stage.keeper.Inherit("gone", NewFile());
  stage.keeper.Inherit("stays", NewFile());
  stage.keeper.BeginRenewal();
  stage.keeper.Store("stays", UniqueFd(::dup(stage.keeper.Find("stays"))));
  CHECK(stage.keeper.Find("gone") >= 0);
  stage.keeper.EndRenewal();
  CHECK(stage.keeper.Find("gone") < 0);
  CHECK(stage.keeper.Find("stays") >= 0);
  CHECK(stage.systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/gone");
  CHECK(stage.systemd.Next().text == kNothing);
}

TEST_CASE("What a master has and cannot give now stays as it was over a renewal") {
  Stage stage;
  stage.keeper.Inherit("later", NewFile());
  stage.keeper.Inherit("gone", NewFile());
  stage.keeper.BeginRenewal();
  stage.keeper.Await("later");
  // Nothing is there that could stay.
  stage.keeper.Await("new");
  stage.keeper.EndRenewal();
  CHECK(stage.keeper.Find("later") >= 0);
  CHECK(stage.keeper.Find("gone") < 0);
  CHECK(stage.keeper.Find("new") < 0);
  CHECK(stage.systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/gone");
  CHECK(stage.systemd.Next().text == kNothing);
}

TEST_CASE("What systemd has not been told is told by the next image of slcd, in order") {
  TempFolder folder;
  uv::Loop loop;
  std::deque<FdStore::Deed> left;
  left.push_back({"kept/7/a", NewFile()});
  left.push_back({"kept/7/b", UniqueFd()});
  NotifyListener systemd(folder / "notify");
  FdStore store(loop, true);
  store.Inherit(std::move(left));
  store.Drop("kept/7/c");
  CHECK(store.waiting().empty());
  const auto first = systemd.Next();
  CHECK(first.text == "FDSTORE=1\nFDNAME=kept/7/a");
  CHECK(first.fds.size() == 1);
  CHECK(systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/b");
  CHECK(systemd.Next().text == "FDSTOREREMOVE=1\nFDNAME=kept/7/c");
}

TEST_CASE("What systemd does not take at once is told later, in order") {
  Stage stage;
  int told = 0;
  // More than the queue of a unix socket holds, whatever that is here.
  constexpr int kMany = 5000;
  for (int i = 0; i < kMany; ++i) stage.store.Drop("x" + std::to_string(i));
  uv::Timer look(stage.loop, [&] {
    while (true) {
      const std::string text = stage.systemd.Next().text;
      if (text == kNothing) break;
      CHECK(text == "FDSTOREREMOVE=1\nFDNAME=x" + std::to_string(told));
      ++told;
    }
    if (told == kMany) return stage.loop.Stop();
    look.StartIn(1);
  });
  look.StartIn(0);
  stage.loop.Run();
  CHECK(told == kMany);
}

TEST_CASE("Without systemd nothing is told, and nothing is duplicated") {
  TempFolder folder;
  NotifyListener engine(folder / "notify");
  uv::Loop loop;
  FdStore store(loop, false);
  Keeper keeper(store, KeptPrefix(1));
  keeper.Store("state", NewFile());
  keeper.Clear();
  CHECK(engine.Next().text == kNothing);
}
}  // namespace slc
