#include "common/uv/async.h"

#include "common/uv/handle.h"

namespace slc::uv {

struct Async::Impl {
  Impl(Loop& loop, std::function<void()> callback) : on_wake(std::move(callback)), box(this) {
    uv_async_init(loop.raw(), box.get(), [](uv_async_t* handle) {
      if (Impl* impl = HandleBox<uv_async_t, Impl>::OwnerOf(handle)) impl->on_wake();
    });
    box.MarkInitialized();
  }
  std::function<void()> on_wake;
  HandleBox<uv_async_t, Impl> box;
};

Async::Async(Loop& loop, std::function<void()> on_wake)
    : impl_(std::make_unique<Impl>(loop, std::move(on_wake))) {}
Async::~Async() = default;

void Async::Wake() { uv_async_send(impl_->box.get()); }

}  // namespace slc::uv
