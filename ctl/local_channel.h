// LocalChannel: a conversation with a slcd on this machine, over its control socket.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/wire/client.h"
#include "ctl/channel.h"

namespace slc::ctl {

class LocalChannel : public Channel {
 public:
  explicit LocalChannel(ControlClient client) : client_(std::move(client)) {}

  Status Send(const Request& request) override { return client_.Send(request); }
  Result<std::optional<ServerMessage>> Receive(Millis timeout) override;
  std::size_t streams() const override { return streams_.size(); }
  Result<std::optional<CarriedPiece>> ReadPiece(Millis limit) override;
  std::string Silence() const override;

 private:
  ControlClient client_;
  std::vector<UniqueFd> streams_;  // those that have ended are none
  std::string buffer_;
};

}  // namespace slc::ctl
