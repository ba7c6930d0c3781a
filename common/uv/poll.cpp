#include "common/uv/poll.h"

#include "common/uv/handle.h"

namespace slc::uv {

struct Poll::Impl {
  Impl(Loop& loop, int fd, Callback callback) : on_ready(std::move(callback)), box(this) {
    if (uv_poll_init(loop.raw(), box.get(), fd) == 0) box.MarkInitialized();
  }
  Callback on_ready;
  int events = 0;
  HandleBox<uv_poll_t, Impl> box;
};

Poll::Poll(Loop& loop, int fd, Callback on_ready)
    : impl_(std::make_unique<Impl>(loop, fd, std::move(on_ready))) {}
Poll::~Poll() = default;

bool Poll::ok() const { return impl_->box.initialized(); }

void Poll::Watch(bool readable, bool writable) {
  if (!ok()) return;
  const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
  if (events == impl_->events) return;
  impl_->events = events;
  if (events == 0) {
    uv_poll_stop(impl_->box.get());
    return;
  }
  uv_poll_start(impl_->box.get(), events, [](uv_poll_t* handle, int status, int ready) {
    Impl* impl = HandleBox<uv_poll_t, Impl>::OwnerOf(handle);
    if (impl == nullptr) return;
    // On EPOLLERR libuv reports a status and stops nothing; whoever reads or writes next learns the
    // real error from the system call.
    if (status < 0) ready = impl->events;
    // The callback may destroy the Poll: nothing of it is touched afterwards.
    impl->on_ready(Ready{(ready & UV_READABLE) != 0, (ready & UV_WRITABLE) != 0});
  });
}

}  // namespace slc::uv
