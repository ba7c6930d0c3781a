// FrameStream: frames of the control protocol, and the descriptors that come with them, over one
// connected unix stream socket. No loop: its owner says when to read and when to send, and waits
// in between. Owns the socket and all descriptors that wait in either direction.
//
// Descriptors travel with the first byte of their frame and are handed out in the order they came;
// how many belong to a message is said in the message (see messages.h).
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/wire/frame.h"

namespace slc {

class FrameStream {
 public:
  explicit FrameStream(UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }

  void Queue(std::string_view payload, std::vector<UniqueFd> fds = {});
  // Sends what finds room. kUnreachable: the peer is gone.
  Status Flush();
  bool flushed() const { return unsent_ == 0; }
  std::size_t unsent() const { return unsent_; }  // bytes

  // Takes in what has arrived, at most 64 KiB a call; false if nothing has. kUnreachable at the end
  // of the stream, kProtocol from a peer whose descriptors nobody asked for.
  Result<bool> Receive();
  // See FrameReader.
  Result<std::optional<std::string>> Next() { return reader_.Next(); }
  // The oldest `count` that have come; fewer if they found no room in our table.
  std::vector<UniqueFd> TakeFds(std::size_t count);

 private:
  // Bytes that are sent together with `fds`, which are gone as soon as the first of them is sent.
  struct Part {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };

  UniqueFd socket_;
  std::deque<Part> output_;
  std::size_t unsent_ = 0;
  FrameReader reader_;
  std::deque<UniqueFd> received_;
};

}  // namespace slc
