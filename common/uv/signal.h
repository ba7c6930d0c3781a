// Signal: delivers one signal number into the loop.
#pragma once

#include <functional>
#include <memory>

#include "common/uv/loop.h"

namespace slc::uv {

class Signal {
 public:
  Signal(Loop& loop, int number, std::function<void()> on_signal);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::uv
