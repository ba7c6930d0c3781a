#include "daemon/self_check_run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "common/base/environment.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/wire/snapshot_format.h"

namespace slc {
namespace {

constexpr Millis kPatience = 10000;
constexpr std::size_t kMostShown = 400;

}  // namespace

SelfCheckRun::SelfCheckRun(uv::Loop& loop, std::string program, std::string path,
                           std::function<void(const Result<SelfCheck>& answer)> done)
    : loop_(loop),
      program_(std::move(program)),
      path_(std::move(path)),
      done_(std::move(done)),
      begun_(Start()),
      timer_(loop, [this] {
        Tell(begun_ ? Error{ErrorCode::kTimeout, path_ + " --self-check took over 10 s"}
                    : begun_.error());
      }) {
  timer_.StartIn(begun_ ? kPatience : 0);
  if (!begun_) return;
  end_ = std::make_unique<uv::Poll>(loop_, process_.pidfd.get(),
                                    [this](uv::Poll::Ready) { OnEnded(); });
  end_->Watch(true, false);
}

SelfCheckRun::~SelfCheckRun() {
  end_.reset();
  if (!process_.pidfd) return;
  SignalProcess(process_.pidfd, SIGKILL);
  Reap(process_.pidfd);
}

Status SelfCheckRun::Start() {
  auto output = MakeMemfd("slc-self-check", "");
  if (!output) return output.error();
  output_.reset(*output);
  auto errors = MakeMemfd("slc-self-check", "");
  if (!errors) return errors.error();
  errors_.reset(*errors);
  SpawnOptions options;
  options.program = path_;
  options.arguments = {program_, "--self-check"};
  options.environment = SanitizerOptions();
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  options.descriptors = {{output_.get(), STDOUT_FILENO}, {errors_.get(), STDERR_FILENO}};
  options.working_directory = "/";
  auto spawned = Spawn(options);
  if (!spawned) return spawned.error();
  process_ = std::move(*spawned);
  return Ok();
}

void SelfCheckRun::OnEnded() {
  end_->Watch(false, false);
  const int status = Reap(process_.pidfd).value_or(0);
  process_.pidfd.reset();
  const auto output = ReadMemfd(output_.get());
  const auto errors = ReadMemfd(errors_.get());
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string words = errors ? std::string(Trim(*errors)).substr(0, kMostShown) : std::string();
    if (!words.empty()) words = ": " + words;
    return Tell(Error{ErrorCode::kInvalid, path_ + " fails its self-check (" +
                                               DescribeWaitStatus(status) + ")" + words});
  }
  auto check = output ? DecodeSelfCheck(program_, *output) : Result<SelfCheck>(output.error());
  if (!check) return Tell(check.error().During("the self-check of " + path_));
  Tell(*check);
}

void SelfCheckRun::Tell(const Result<SelfCheck>& answer) {
  timer_.Stop();
  const auto done = done_;
  done(answer);
}

}  // namespace slc
