// NodeChannel: our end of a worker's IPC channel. Does not own the socket.
//
// Writing: one sendmsg per frame with at most one descriptor, whole or not at all. A frame that was
// cut short by our death would kill the worker (SyntaxError in its parser); two frames in one
// message would shift its descriptors. A frame below 16 KiB fits one kernel buffer and is therefore
// taken whole; what finds no room waits here.
//
// Reading: look first (MSG_PEEK), act, then consume. A master that is killed in between leaves the
// message to its successor. Only a message that carries a handle is consumed before it is answered.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"

namespace slc {

class NodeChannel {
 public:
  struct Events {
    std::function<void(std::string_view line)> on_line;  // may destroy the channel
    std::function<void()> on_end;                        // once; may destroy the channel
    std::function<void()> on_room;                       // the send queue has emptied
  };

  NodeChannel(uv::Loop& loop, int socket, Events events);
  ~NodeChannel();
  NodeChannel(const NodeChannel&) = delete;
  NodeChannel& operator=(const NodeChannel&) = delete;

  // Sends now or queues (with a duplicate of `fd`). False if the worker does not read and a
  // megabyte is waiting, or the channel has ended.
  bool Send(std::string frame, int fd = -1);
  // Sends now or not at all.
  bool TrySend(std::string_view frame, int fd);
  bool has_room() const { return !ended_ && queue_.empty(); }
  bool ended() const { return ended_; }

  // Reads what is left, up to the end or until nothing more is there.
  void ReadDry();

 private:
  struct Waiting {
    std::string frame;
    UniqueFd fd;
  };
  void OnReady(uv::Poll::Ready ready);
  // One look into the socket. False when there is nothing more for now, or not alive any more.
  bool ReadOnce(const bool& alive);
  bool Deliver(std::string_view line, const bool& alive);
  // Removes bytes that were looked at; descriptors that came with them are closed.
  void Consume(std::size_t bytes);
  void KeepPartial(std::string_view bytes);
  void Flush();
  void UpdateWatch();

  int socket_;
  Events events_;
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  std::string partial_;  // of a line longer than one look
  bool ended_ = false;
  // Becomes false when we are destroyed: a callback may do that while we are still at work.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uv::Poll poll_;
  uv::Timer retry_;
};

}  // namespace slc
