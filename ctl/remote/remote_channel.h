// RemoteChannel: a conversation with a slcd behind a URL, see common/wire/carried.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/wire/frame.h"
#include "ctl/channel.h"
#include "ctl/remote/remote.h"

namespace slc::ctl {

class RemoteChannel : public Channel {
 public:
  // `remote` outlives this, and is asked by nobody else meanwhile.
  explicit RemoteChannel(Remote& remote) : remote_(remote) {}

  Status Send(const Request& request) override;
  Result<std::optional<ServerMessage>> Receive(Millis timeout) override;
  std::size_t streams() const override { return streams_; }
  Result<std::optional<CarriedPiece>> ReadPiece(Millis limit) override;
  std::string Silence() const override;

 private:
  // The next payload that is no mere sign of life.
  Result<bool> Next(Millis limit, Millis most_quiet);
  // That is no answer of a gateway that knows the protocol.
  Status Refused(const http::AnswerHead& head);
  // Takes the end of the answer, so that the connection can be used again.
  void Finish();

  Remote& remote_;
  FrameReader reader_;
  std::string payload_;
  std::optional<ServerMessage> refusal_;
  std::string id_;
  std::size_t streams_ = 0;
  Millis quiet_ = 0;  // for how long it has been waited without a sign of life
};

}  // namespace slc::ctl
