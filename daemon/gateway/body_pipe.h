// BodyPipe: the body of a request on its way into a pipe: as long as that is full, the client
// waits. So no more of it is held here than the server reads at once.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"

namespace slc::gateway {

class BodyPipe {
 public:
  // `pipe`: the end to write to. `server` outlives this.
  BodyPipe(uv::Loop& loop, http::HttpServer& server, http::ExchangeId exchange, UniqueFd pipe);
  BodyPipe(const BodyPipe&) = delete;
  BodyPipe& operator=(const BodyPipe&) = delete;

  void Take(std::string_view data);
  // All of it has come: the pipe is closed once it is in.
  void End();
  bool ended() const { return ended_; }

 private:
  // How much of it went in.
  std::size_t Put(std::string_view data);
  void Write();
  void Settle();

  http::HttpServer& server_;
  const http::ExchangeId exchange_;
  UniqueFd pipe_;     // none: its reader takes no more, or all is in
  std::string rest_;  // that has found no room in it
  bool ended_ = false;
  bool refused_ = false;  // nobody reads any more
  uv::Poll poll_;
};

}  // namespace slc::gateway
