// The one way to own libuv handles.
//
// libuv frees nothing by itself: a handle must be closed, and its memory must stay until the close
// callback has run in a later turn of the loop. HandleBox keeps the uv handle in a heap block of
// its own. The owner (Timer, Poll, ...) holds the box; its destructor detaches the block from the
// owner, so that events which libuv still delivers are swallowed, and calls uv_close, whose
// callback frees the block. Handles never own themselves and there is no shared_ptr.
//
// Used only by the classes in common/uv.
#pragma once

#include <utility>

#include <uv.h>

namespace slc::uv {

template <typename UvHandle, typename Owner>
class HandleBox {
 public:
  explicit HandleBox(Owner* owner) : block_(new Block{{}, owner}) { block_->handle.data = block_; }
  HandleBox(const HandleBox&) = delete;
  HandleBox& operator=(const HandleBox&) = delete;
  ~HandleBox() {
    block_->owner = nullptr;
    if (!initialized_) {
      delete block_;
      return;
    }
    uv_close(reinterpret_cast<uv_handle_t*>(&block_->handle),
             [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
  }

  UvHandle* get() { return &block_->handle; }
  // To be called once uv_*_init has succeeded: from then on only uv_close may end the handle.
  void MarkInitialized() { initialized_ = true; }
  bool initialized() const { return initialized_; }

  // The owner an event is for; nullptr once it is gone.
  static Owner* OwnerOf(UvHandle* handle) { return static_cast<Block*>(handle->data)->owner; }

 private:
  struct Block {
    UvHandle handle;
    Owner* owner;
  };
  Block* block_;
  bool initialized_ = false;
};

}  // namespace slc::uv
