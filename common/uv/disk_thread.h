// DiskThread: runs blocking work (write, fsync, rename, reading an app's folder) in order on one
// thread, so that a disk that hangs never stops the loop.
//
// Jobs run one after another; `then` runs in the loop. Destroying it waits for the jobs that were
// handed in; their `then` is not called any more.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "common/base/result.h"
#include "common/uv/async.h"
#include "common/uv/loop.h"

namespace slc::uv {

class DiskThread {
 public:
  // Where no thread can be made this ends the process; Make() is for whoever can go on without.
  explicit DiskThread(Loop& loop);
  static Result<std::unique_ptr<DiskThread>> Make(Loop& loop);
  ~DiskThread();
  DiskThread(const DiskThread&) = delete;
  DiskThread& operator=(const DiskThread&) = delete;

  void Run(std::function<void()> job, std::function<void()> then);
  // No job is being done or waits, and every `then` that was to run has begun to. From the loop.
  bool idle();

 private:
  struct Task {
    std::function<void()> job;
    std::function<void()> then;
  };
  void Work();
  void Collect();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  std::deque<Task> finished_;
  bool working_ = false;
  bool ending_ = false;
  Async wake_;
  std::thread thread_;
};

}  // namespace slc::uv
