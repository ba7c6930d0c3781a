// Deeds that are to be done at their time whatever the test is waiting for: a thread of its own. A
// deed must not use doctest.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/time.h"
#include "tests/system/dice.h"

namespace slc::test {

class Later {
 public:
  Later() : thread_([this] { Run(); }) {}
  // Does what is left, at its time.
  ~Later() {
    ends_ = true;
    thread_.join();
  }
  Later(const Later&) = delete;
  Later& operator=(const Later&) = delete;

  void Do(Millis at, std::function<void()> deed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    deeds_.push_back({at, std::move(deed)});
  }
  bool IsDone() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return deeds_.empty();
  }

 private:
  struct Deed {
    Millis at = 0;
    std::function<void()> deed;
  };

  void Run() {
    constexpr Millis kStep = 10;
    while (!ends_ || !IsDone()) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::erase_if(deeds_, [](const Deed& each) {
          const bool due = each.at <= BootNow();
          if (due) each.deed();
          return due;
        });
      }
      LetPass(kStep);
    }
  }

  mutable std::mutex mutex_;
  std::vector<Deed> deeds_;
  std::atomic<bool> ends_{false};
  std::thread thread_;
};

}  // namespace slc::test
