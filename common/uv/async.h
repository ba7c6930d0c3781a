// Async: lets another thread wake the loop. Several Wake() calls may arrive as one callback.
#pragma once

#include <functional>
#include <memory>

#include "common/uv/loop.h"

namespace slc::uv {

class Async {
 public:
  Async(Loop& loop, std::function<void()> on_wake);
  ~Async();
  Async(const Async&) = delete;
  Async& operator=(const Async&) = delete;

  // The only call of this library that any thread may make.
  void Wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::uv
