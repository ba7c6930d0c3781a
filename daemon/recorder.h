// Recorder: has what changes the state of services recorded by the disk thread, and keeps slcd
// going when the disk does not play along.
//
// Promises: whoever asks for a write is answered once, after StorageState::kPatience at the latest.
// A write that failed or was given up counts as refused: should its file have changed all the same,
// what is in force is recorded over it, as soon as the disk takes that, without a restart.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/core/registry.h"
#include "daemon/core/storage_state.h"
#include "daemon/store.h"

namespace slc {

class Recorder {
 public:
  // What a write is doing, for people who wait: a literal.
  using Stage = std::atomic<const char*>;
  using Write = std::function<Status(Stage& stage)>;

  struct Events {
    // Of a service whose removal was begun: the disk may take it again.
    std::function<void(ServiceId id)> finish_removal;
    // Trouble has begun (why), or is over (after how long).
    std::function<void(bool begun, const std::string& text)> on_trouble;
  };

  // All but `events` and `home` is owned by the caller and outlives this.
  Recorder(uv::Loop& loop, const Registry& registry, Store& store, uv::DiskThread& disk,
           std::string home, Events events);

  // Runs `write` on the disk thread, then calls `done` in the loop. An error of kStorage is the
  // disk's, any other its own. While the disk hangs, `done` is called at once.
  void Do(ServiceId id, Write write, std::function<void(const Status& status)> done);
  // What is in force of the service is not in its file: it is recorded as soon as that can be.
  void Owe(ServiceId id);
  // Looks whether the disk takes anything, and makes the reserve. Not waited for.
  void Begin();

  // Why changes cannot be recorded now, since when, and what is being done; empty if they can.
  std::string trouble() const;

 private:
  struct Job {
    ServiceId id = 0;
    std::function<void(const Status& status)> done;  // empty: it was given up
    Stage stage{"waiting for its turn"};
    std::atomic<bool> given_up{false};
    bool begun = false;
    Status status = Ok();
  };
  struct Round;

  void Ended(const std::shared_ptr<Job>& job);
  void Tick();
  void GiveUp();
  void Retry();
  void RetryEnded(const Round& round);
  void Judge(const Status& status);
  Error Hanging(const char* stage) const;
  // Says in the log when trouble begins and ends, and sets the timer.
  void Review();

  uv::Loop& loop_;
  const Registry& registry_;
  Store& store_;
  uv::DiskThread& disk_;
  const std::string home_;
  Events events_;
  StorageState state_;
  Millis trouble_since_ = 0;  // 0: none
  std::deque<std::shared_ptr<Job>> waited_for_;
  uv::Timer timer_;
};

}  // namespace slc
