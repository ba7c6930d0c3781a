// HealthProbe: asks a service over HTTP/1.1 whether it is well: GET of a path, on loopback. Well is
// who answers with a status of 200 to 399.
//
// Workers that share a port cannot be told apart from outside, so one of them is asked by trying: a
// connection is kept after its answer, until it is known which process has it open, and what others
// answer counts nothing. An old release may know nothing of the path.
//
// What closes its connections together with the answer (HTTP/1.0) mostly gives nobody away. If no
// answer is known to be that of the worker, all those must be well of which nothing is known.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"

namespace slc::deploy {

class HealthProbe {
 public:
  // Who does not answer for so long has to be the one that is meant, or another is asked.
  static constexpr Millis kPatience = 1'000;

  struct Target {
    std::string address;  // numeric; empty or any: loopback
    std::uint16_t port = 0;
    std::string path;
    pid_t worker = 0;    // it, or a child of it; 0: whoever is asked must be well
    unsigned tries = 1;  // connections; with a worker, at most
    // Whoever has the same address always gets the same worker: come from another one each time.
    bool sticky = false;
  };
  // `done` is called once, never from within; it may destroy this. Empty: it is well. There is no
  // limit to the whole: whoever has waited long enough destroys this.
  HealthProbe(uv::Loop& loop, Target target, std::function<void(const std::string& failure)> done);
  HealthProbe(const HealthProbe&) = delete;
  HealthProbe& operator=(const HealthProbe&) = delete;

 private:
  enum class Who { kMeant, kAnother, kUnknown };

  void Connect();
  void OnReady();
  void OnAnswer(const std::string& failure);
  void OnSilence();
  // The other end of the connection.
  Who Whose() const;
  void Next();
  void End(const std::string& failure);

  uv::Loop& loop_;
  const Target target_;
  std::function<void(const std::string& failure)> done_;
  UniqueFd socket_;
  std::unique_ptr<uv::Poll> poll_;
  bool sent_ = false;
  std::string answer_;
  unsigned tried_ = 0;
  unsigned unknown_ = 0;  // answers of whom nobody knows
  std::string not_well_;  // the first of these that was not well
  std::string failure_;
  uv::Timer next_;
  uv::Timer silence_;
  uv::Timer later_;
};

}  // namespace slc::deploy
