// SelfCheckRun: asks an installed binary with --self-check whether it could run, and as what. It
// gets ten seconds, and is killed when it takes longer or is not waited for any more.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/self_check.h"

namespace slc {

class SelfCheckRun {
 public:
  // `done` is called once, never from within the constructor; it may destroy this. `path`: of
  // `program`.
  SelfCheckRun(uv::Loop& loop, std::string program, std::string path,
               std::function<void(const Result<SelfCheck>& answer)> done);
  ~SelfCheckRun();
  // Of the child; 0 if it has ended and was reaped.
  int pid() const { return process_.pidfd ? process_.identity.pid : 0; }
  SelfCheckRun(const SelfCheckRun&) = delete;
  SelfCheckRun& operator=(const SelfCheckRun&) = delete;

 private:
  Status Start();
  void OnEnded();
  void Tell(const Result<SelfCheck>& answer);

  uv::Loop& loop_;
  std::string program_;
  std::string path_;
  std::function<void(const Result<SelfCheck>& answer)> done_;
  UniqueFd output_;
  UniqueFd errors_;
  Spawned process_;
  Status begun_;
  uv::Timer timer_;
  std::unique_ptr<uv::Poll> end_;
};

}  // namespace slc
