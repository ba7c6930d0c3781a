// Poll: watches a file descriptor it does not own. The owner closes the fd only after this object
// is gone (declare the fd before the Poll).
#pragma once

#include <functional>
#include <memory>

#include "common/base/result.h"
#include "common/uv/loop.h"

namespace slc::uv {

class Poll {
 public:
  struct Ready {
    bool readable = false;
    bool writable = false;
  };
  using Callback = std::function<void(Ready)>;

  // Makes the fd non-blocking, as libuv wants it. Check ok() after construction: it is false when
  // the system refused (fd exhaustion, or a kind of file that cannot be polled).
  Poll(Loop& loop, int fd, Callback on_ready);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  bool ok() const;
  // What to wait for; both false stops watching. Level-triggered: still true, called again. Asking
  // for what is already watched costs nothing. A hang-up or an error counts as whatever is watched.
  void Watch(bool readable, bool writable);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::uv
