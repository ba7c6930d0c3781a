#include "daemon/app_run.h"

#include <cstdlib>

#include "common/base/ids.h"
#include "common/base/log.h"
#include "common/base/text.h"

namespace slc {

Status AppRun::CheckIsAlone(const Registry& registry) const {
  const std::string& own = std::get<StartService>(start_.body).spec.name;
  for (const auto& [id, wish] : registry.wishes()) {
    if (!wish.run || wish.spec.name == own) continue;
    return Error{ErrorCode::kConflict,
                 "this home has another service that is to run, " + wish.spec.name +
                     "; give `slc run` a home of its own (SLC_HOME=DIR) or use `slc start`"};
  }
  return Ok();
}

void AppRun::Start() { events_.send(Command{kInnerClient, start_}); }

void AppRun::SoftRestart(const Registry& registry) {
  if (registry.wishes().empty()) return;
  const std::string& name = registry.wishes().begin()->second.spec.name;
  events_.send(Command{
      kInnerClient, Request{NewRequestId(), false, RestartService{name, RollMode::kRolling, 1}}});
}

void AppRun::OnReply(const std::string& request, const Reply& reply) {
  // A start that was overtaken by a command from beside has not failed.
  if (!reply.error || reply.error->code == ErrorCode::kCancelled) return;
  log::Failure(reply.error->message);
  // A soft restart that fails leaves what runs as it is.
  if (request == start_.id) EndWith(reply.error->message);
}

void AppRun::OnNotice(const Progress& progress) {
  if (progress.kind == "worker_exited") last_exit_ = progress.text;
}

void AppRun::OnFacts(const link::Facts& facts) {
  if (facts.phase == "finished") EndWith(last_exit_);
}

void AppRun::EndWith(const std::string& how) {
  if (ending_) return;
  ending_ = true;
  // "exit code 3" or "killed by SIGSEGV (signal 11)": the container ends with what its app ended
  // with.
  const std::size_t bracket = how.find("(signal ");
  if (StartsWith(how, "exit code ")) {
    exit_code_ = std::atoi(how.c_str() + 10);
  } else if (bracket == std::string::npos) {
    exit_code_ = 1;
  } else {
    exit_code_ = 128 + std::atoi(how.c_str() + bracket + 8);
  }
  events_.end();
}

}  // namespace slc
