#include "daemon/recorder.h"

#include "common/uv/timer.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

Wish WishOf(ServiceId id) {
  Wish wish;
  wish.id = id;
  wish.spec.name = "web";
  return wish;
}

// A recorder with its loop.
class Bench {
 public:
  Bench()
      : store_(folder.fd()),
        disk_(loop_),
        recorder(loop_, registry, store_, disk_, "/home",
                 Recorder::Events{
                     [this](ServiceId id) { removals.push_back(id); },
                     [this](bool begun, const std::string&) { troubles.push_back(begun); }}),
        look_(loop_, [this] { Look(); }) {}

  // What came of the write.
  Status Do(ServiceId id, Recorder::Write write) {
    Status outcome = Ok();
    recorder.Do(id, std::move(write), [&](const Status& status) {
      outcome = status;
      loop_.Stop();
    });
    loop_.Run();
    return outcome;
  }

  // Runs the loop until `condition` holds, some seconds at most.
  bool Await(std::function<bool()> condition) {
    condition_ = std::move(condition);
    deadline_ = BootNow() + 10 * StorageState::kRetryPause;
    Look();
    loop_.Run();
    return condition_();
  }

  TempFolder folder;
  Registry registry{true};
  std::vector<ServiceId> removals;
  std::vector<bool> troubles;  // begun, over, ...

 private:
  void Look() {
    constexpr Millis kPause = 10;
    if (condition_() || BootNow() > deadline_) return loop_.Stop();
    look_.StartIn(kPause);
  }

  Store store_;
  uv::Loop loop_;
  uv::DiskThread disk_;

 public:
  Recorder recorder;

 private:
  uv::Timer look_;
  std::function<bool()> condition_;
  Millis deadline_ = 0;
};

Recorder::Write Fails(ErrorCode code) {
  return [code](Recorder::Stage&) -> Status { return Error{code, "no room"}; };
}

}  // namespace

TEST_CASE("A write that has nothing to do with the disk may fail without trouble") {
  Bench bench;
  CHECK(bench.Do(1, [](Recorder::Stage&) { return Ok(); }));
  const Status refused = bench.Do(1, Fails(ErrorCode::kInvalid));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "no room");
  CHECK(bench.recorder.trouble().empty());
}

TEST_CASE("After a refused write what is in force is recorded over it, and all is well again") {
  Bench bench;
  bench.registry.Commit(WishOf(1));
  Store store(bench.folder.fd());
  // Its file holds what was refused.
  Wish refused = WishOf(1);
  refused.size = 7;
  REQUIRE(store.Save(refused));
  // So does that of a service that was never to be.
  REQUIRE(store.Save(WishOf(2)));
  CHECK_FALSE(bench.Do(1, Fails(ErrorCode::kStorage)));
  CHECK_FALSE(bench.Do(2, Fails(ErrorCode::kStorage)));
  CHECK(bench.recorder.trouble().find("no room") != std::string::npos);
  REQUIRE(bench.Await([&] { return bench.recorder.trouble().empty(); }));
  CHECK(bench.troubles == std::vector<bool>{true, false});
  auto loaded = store.Load();
  REQUIRE(loaded);
  REQUIRE(loaded->wishes.size() == 1);
  CHECK(Store::Encode(loaded->wishes[0]) == Store::Encode(WishOf(1)));
}

TEST_CASE("A removal that the disk has interrupted is taken up again") {
  Bench bench;
  Wish wish = WishOf(1);
  wish.removing = true;
  bench.registry.Commit(wish);
  CHECK_FALSE(bench.Do(1, Fails(ErrorCode::kStorage)));
  REQUIRE(bench.Await([&] { return !bench.removals.empty(); }));
  CHECK(bench.removals == std::vector<ServiceId>{1});
}

}  // namespace slc
