// NodeChannel: our end of a worker's IPC channel. Does not own the socket.
//
// Writing: one sendmsg per frame with at most one descriptor, whole or not at all. A frame that was
// cut short by our death would kill the worker (SyntaxError in its parser); two frames in one
// message would shift its descriptors. A frame below 16 KiB fits one kernel buffer and is therefore
// taken whole; what finds no room waits here.
//
// Reading: look first (MSG_PEEK), act, then consume. A master that is killed in between leaves the
// message to its successor. Only a message that carries a handle is consumed before it is answered.
// A line that is longer than one look is an application's own message and is not passed on.
//
// The other end may be written by anyone: what it does wrong is told to on_fact, and costs no more
// than a look's worth of memory and one message's worth of descriptors.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "daemon/master/core/conduct.h"
#include "daemon/master/core/json_shape.h"
#include "daemon/master/core/sent_handles.h"

namespace slc {

class NodeChannel {
 public:
  struct Events {
    std::function<void(std::string_view line)> on_line;  // may destroy the channel
    std::function<void()> on_end;                        // once; may destroy the channel
    std::function<void()> on_room;                       // the send queue has emptied
    std::function<void(const ConductFact&)> on_fact;     // must not destroy the channel
  };

  NodeChannel(uv::Loop& loop, int socket, Events events);
  ~NodeChannel();
  NodeChannel(const NodeChannel&) = delete;
  NodeChannel& operator=(const NodeChannel&) = delete;

  // Sends now or queues (with a duplicate of `fd`). False if the worker does not read and a
  // megabyte is waiting, or the channel has ended.
  bool Send(std::string frame, int fd = -1);
  // Sends a connection, now or not at all.
  bool TrySend(std::string_view frame, int connection);
  SentHandles& handles() { return handles_; }
  bool has_room() const { return !ended_ && queue_.empty(); }
  bool ended() const { return ended_; }
  // Nothing waits here to be sent.
  bool flushed() const { return queue_.empty(); }
  // The beginning of a line that was read; GoOn() takes up what another image of us had read.
  const std::string& partial() const { return partial_; }
  // It is more than the beginning that is kept: another image could not go on.
  bool inside_long_line() const { return partial_bytes_ > partial_.size(); }
  void GoOn(std::string_view partial) {
    if (!partial.empty()) KeepPartial(partial);
  }

  // Reads what is left, up to the end or until nothing more is there. Of what somebody else still
  // writes to it (a child of the worker has it too) no more than a socket holds.
  void ReadDry();

 private:
  struct Waiting {
    std::string frame;
    UniqueFd fd;
  };
  void OnReady(uv::Poll::Ready ready);
  bool SendNow(std::string_view frame, int fd);
  // One look into the socket. False when there is nothing more for now, or not alive any more.
  bool ReadOnce(const bool& alive);
  bool Deliver(std::string_view line, const bool& alive);
  // The end of a line that was longer than one look, or came in pieces. Gives it as a whole if it
  // is to be acted on, else nothing.
  std::optional<std::string> EndLine(std::string_view rest);
  // Removes bytes that were looked at; descriptors that came with them are closed. `announced`: one
  // of the lines among them said that it carries one.
  void Consume(std::size_t bytes, bool announced);
  void KeepPartial(std::string_view bytes);
  void NoteSendError(int errno_value);
  void Note(const ConductFact& fact);
  void Flush();
  void UpdateWatch();

  int socket_;
  Events events_;
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  SentHandles handles_;
  std::string partial_;            // the beginning of a line that has not ended yet
  std::size_t partial_bytes_ = 0;  // of that line so far
  JsonShape partial_shape_;
  bool ended_ = false;
  // Becomes false when we are destroyed: a callback may do that while we are still at work.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uv::Poll poll_;
  uv::Timer retry_;
};

}  // namespace slc
