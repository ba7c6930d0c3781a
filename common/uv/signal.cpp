#include "common/uv/signal.h"

#include "common/uv/handle.h"

namespace slc::uv {

struct Signal::Impl {
  Impl(Loop& loop, int number, std::function<void()> callback)
      : on_signal(std::move(callback)), box(this) {
    uv_signal_init(loop.raw(), box.get());
    box.MarkInitialized();
    uv_signal_start(
        box.get(),
        [](uv_signal_t* handle, int) {
          if (Impl* impl = HandleBox<uv_signal_t, Impl>::OwnerOf(handle)) impl->on_signal();
        },
        number);
  }
  std::function<void()> on_signal;
  HandleBox<uv_signal_t, Impl> box;
};

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal)
    : impl_(std::make_unique<Impl>(loop, number, std::move(on_signal))) {}
Signal::~Signal() = default;

}  // namespace slc::uv
