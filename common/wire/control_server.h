// ControlServer: slcd's unix socket for clients. Accepts, checks who is there, cuts frames, queues
// answers. What the frames mean is the business of its owner. When there is no room for another
// client, those who are connected and have never asked for anything have to leave, the oldest
// first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/frame_stream.h"

namespace slc {

using ClientId = std::uint64_t;

// Listens on directory/name; a stale socket file is replaced, so the caller must hold the lock that
// makes it the only daemon. Mode 0600. Waits for the disk.
Result<UniqueFd> ListenOnUnixSocket(int directory, const std::string& name, int type, int backlog);

// Uid and pid of the peer of a unix socket.
struct Peer {
  unsigned uid = 0;
  int pid = 0;
};
Result<Peer> PeerOf(int socket);

class ControlServer {
 public:
  struct Events {
    std::function<void(ClientId client, const std::string& payload)> on_frame;
    std::function<void(ClientId client)> on_gone;
  };
  // Owns `listener` (a listening stream socket).
  ControlServer(uv::Loop& loop, UniqueFd listener, Events events);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Who is at the other end; of nobody for one that has left.
  Peer peer(ClientId client) const;

  // Queues one frame and the descriptors that go with it. Unknown clients (they have left) are
  // passed over. A client that does not read is dropped when more than kMostFrameBytes wait for it.
  void Send(ClientId client, const std::string& payload, std::vector<UniqueFd> fds = {});
  // The oldest `count` descriptors that a client has sent and nobody has taken; fewer if there are
  // no more.
  std::vector<UniqueFd> TakeFds(ClientId client, std::size_t count);

  // Listens there instead. Who waits at the socket of before is accepted first.
  void Listen(UniqueFd listener);
  // A client who was accepted by an image of this process before us.
  ClientId Take(UniqueFd socket);
  int listener() const { return listener_.get(); }
  // -1 if it has left.
  int SocketOf(ClientId client) const;

 private:
  struct Session;
  void Accept();
  void SayRefused(const std::string& whom);
  // False if everybody has asked for something.
  bool MakeRoom();
  ClientId Serve(UniqueFd socket, const Peer& peer);
  void OnReady(ClientId client, uv::Poll::Ready ready);
  void Read(ClientId client);
  Status Flush(Session& session);
  void Drop(ClientId client);

  uv::Loop& loop_;
  UniqueFd listener_;
  Events events_;
  std::map<ClientId, std::unique_ptr<Session>> sessions_;
  ClientId last_ = 0;
  Millis refused_told_at_ = 0;        // 0: never
  std::uint64_t refused_untold_ = 0;  // since then
  uv::Timer accept_again_;
  std::unique_ptr<uv::Poll> poll_;
};

}  // namespace slc
