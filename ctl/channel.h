// Channel, Server: how a command gets its request to slcd, and what comes back. Daemon is the slcd
// at a unix socket of this machine, RemoteServer one behind a URL.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/wire/carried.h"
#include "common/wire/messages.h"

namespace slc::ctl {

// One conversation: a request, what happens on the way, a reply.
class Channel {
 public:
  Channel() = default;
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // kUnreachable: it was lost, and may be asked again with the same id; kTimeout: slcd takes
  // nothing.
  virtual Status Send(const Request& request) = 0;
  // The next message, until the reply; nothing when `timeout` (ms) passed first, or a signal came.
  // kUnreachable: it was lost.
  virtual Result<std::optional<ServerMessage>> Receive(Millis timeout) = 0;
  // How many descriptors the reply has brought.
  virtual std::size_t streams() const = 0;
  // What they bring, as it comes; nothing if nothing has within `limit` (ms), or a signal came. It
  // stays until the next call. Not after all of them have ended. kUnreachable: it was cut off on
  // its way.
  virtual Result<std::optional<CarriedPiece>> ReadPiece(Millis limit) = 0;
  // What to say of a slcd that does not answer.
  virtual std::string Silence() const = 0;
};

class Server {
 public:
  Server() = default;
  virtual ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A connection; null when there is no slcd and the home is empty. kUnreachable: it could not be
  // reached or started. kPermission: not ours to ask.
  virtual Result<std::unique_ptr<Channel>> Connect() = 0;
  // As Connect, but never starts one: null when nobody answers.
  virtual Result<std::unique_ptr<Channel>> ConnectOnly() = 0;
  // slcd is there and says nothing: another one takes its place. kTimeout: none could, or it is not
  // for us to replace.
  virtual Status Replace() = 0;
  // Where we look, for messages.
  virtual std::string place() const = 0;
  // Of our own home; else somebody else starts and replaces it.
  virtual bool ours() const = 0;
  // How long who only looks waits for an answer, ms.
  virtual Millis look_patience() const = 0;
  // Whether a silent channel has to be found out by asking on another. Else it tells by itself.
  virtual bool asks_whether_alive() const = 0;
};

}  // namespace slc::ctl
