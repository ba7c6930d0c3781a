// HealthProbe: asks a service over HTTP/1.1 whether it is well: GET of a path, on loopback. Well is
// who answers with a status of 200 to 399.
//
// Workers that share a port cannot be told apart from outside, so a probe asks several times, on
// connections of their own: where connections are handed round, each worker gets one. All must be
// well.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"

namespace slc::deploy {

class HealthProbe {
 public:
  struct Target {
    std::string address;  // numeric; empty or any: loopback
    std::uint16_t port = 0;
    std::string path;
    unsigned times = 1;
  };
  // `on_answer` is called once, never from within; it may destroy this. Empty: it is well. There is
  // no time limit here: whoever has waited long enough destroys this.
  HealthProbe(uv::Loop& loop, Target target, std::function<void(const std::string& failure)> done);
  HealthProbe(const HealthProbe&) = delete;
  HealthProbe& operator=(const HealthProbe&) = delete;

 private:
  void Connect();
  void OnReady();
  void Judge();
  void End(const std::string& failure);

  uv::Loop& loop_;
  const Target target_;
  std::function<void(const std::string& failure)> done_;
  UniqueFd socket_;
  std::unique_ptr<uv::Poll> poll_;
  bool sent_ = false;
  std::string answer_;
  unsigned well_ = 0;
  std::string failure_;
  uv::Timer next_;
  uv::Timer later_;
};

}  // namespace slc::deploy
