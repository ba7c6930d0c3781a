// ControlSession: the client's side of the control protocol for a program that serves others
// meanwhile: many requests under way at once on one connection, answered as they come. Used by
// slc-gateway, one for its life.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/wire/frame_stream.h"
#include "common/wire/messages.h"

namespace slc {

class ControlSession {
 public:
  using OnReply = std::function<void(Result<Reply> reply)>;
  using OnProgress = std::function<void(const Progress& progress)>;

  // Owns `socket`, a connected one. `on_gone` is called once, when slcd has left or broken the
  // protocol, after all requests under way were answered with kUnreachable.
  ControlSession(uv::Loop& loop, UniqueFd socket, std::function<void()> on_gone);
  ~ControlSession();
  ControlSession(const ControlSession&) = delete;
  ControlSession& operator=(const ControlSession&) = delete;

  // Asks slcd. `on_reply` is called exactly once, never from within Ask(); not if this is destroyed
  // before. An error is that slcd could not be asked or did not answer; what it says itself is in
  // the reply. Gives the id of the request.
  struct Question {
    RequestBody body;
    bool wait = true;
    std::string principal = {};      // see Request
    std::vector<UniqueFd> fds = {};  // that go with it
    // Of a client who may ask again; empty: a new one. None that is under way.
    std::string id = {};
  };
  std::string Ask(Question question, OnReply on_reply, OnProgress on_progress = {});
  // Nobody wants the answer any more. What was asked for happens all the same.
  void Forget(const std::string& id) { asked_.erase(id); }

  bool gone() const { return gone_; }

 private:
  struct Asked {
    OnReply on_reply;
    OnProgress on_progress;
  };
  void OnReady(uv::Poll::Ready ready);
  void Read();
  void Flush();
  void OnFrame(const std::string& frame);
  void Leave(const Error& error);

  FrameStream stream_;
  std::function<void()> on_gone_;
  std::map<std::string, Asked> asked_;
  bool gone_ = false;
  uv::Poll poll_;
};

}  // namespace slc
