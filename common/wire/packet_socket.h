// PacketSocket: one end of a link (see link.h) in the loop. Owns the socket.
//
// Sending never blocks: what finds no room waits here, in order, with duplicates of its
// descriptors.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"

namespace slc {

class PacketSocket {
 public:
  struct Events {
    // Either may destroy the PacketSocket. A Store may come with fewer descriptors than names, an
    // Inspected without its own: there was no room for the last ones.
    std::function<void(link::Packet packet, std::vector<UniqueFd> fds)> on_packet;
    std::function<void(const std::string& reason)>
        on_closed;  // once; the peer is gone or talks nonsense
  };

  PacketSocket(uv::Loop& loop, UniqueFd socket, Events events);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  int fd() const { return socket_.get(); }
  // Nothing waits here to be sent.
  bool flushed() const { return queue_.empty(); }
  // False: it could not even be queued. Either the peer is gone, and on_closed tells if it has not
  // yet, or there is no descriptor left to duplicate `fds`. They remain the caller's.
  bool Send(const link::Packet& packet, const std::vector<int>& fds = {});

  // Reads everything that has arrived, up to the end of the stream, delivering it now: what a peer
  // sent before it died must be known before its successor is made. True if the end was reached.
  bool ReadToEnd();

  bool closed() const { return closed_; }
  bool peer_gone() const { return closed_ || peer_gone_; }
  std::size_t waiting() const { return queue_.size(); }

 private:
  struct Waiting {
    std::string payload;
    std::vector<UniqueFd> fds;
  };
  void OnReady(uv::Poll::Ready ready);
  // Reads one packet; false when nothing is there or the socket is closed or destroyed meanwhile.
  bool ReadOne(const bool& alive);
  void Flush();
  void UpdateWatch();
  void Close(const std::string& reason, const bool& alive);

  UniqueFd socket_;
  Events events_;
  std::deque<Waiting> queue_;
  bool closed_ = false;
  bool peer_gone_ = false;
  // Becomes false when we are destroyed: a callback may do that while we are still at work.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uv::Poll poll_;
  uv::Timer retry_;
};

}  // namespace slc
