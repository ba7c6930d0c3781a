#include "daemon/app_run.h"

#include "common/base/ids.h"
#include "common/base/log.h"
#include "common/base/process.h"

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

void AppRun::Start() { events_.send(start_); }

void AppRun::SoftRestart(const Registry& registry) {
  const Wish* own = OwnOf(registry);
  if (own == nullptr) return;
  events_.send(
      Request{NewRequestId(), false, RestartService{own->spec.name, RollMode::kRolling, 1}});
}

const Wish* AppRun::OwnOf(const Registry& registry) const {
  const ServiceSpec& started = std::get<StartService>(start_.body).spec;
  const Wish* own = nullptr;
  for (const auto& [id, wish] : registry.wishes()) {
    if (wish.spec.directory != started.directory || wish.spec.script != started.script) continue;
    if (wish.spec.name == started.name) return &wish;
    own = &wish;
  }
  return own;
}

void AppRun::OnReply(const std::string& request, const Reply& reply) {
  const bool of_start = request == start_.id;
  answered_ = answered_ || of_start;
  // A start that was overtaken by a command from beside has not failed.
  if (!reply.error || reply.error->code == ErrorCode::kCancelled) return EndIfAppHas();
  log::Failure(reply.error->message);
  // A soft restart that fails leaves what runs as it is.
  if (!of_start) return;
  const bool crashed =
      reply.error->code == ErrorCode::kNotReady && facts_.failure && facts_.failure->status;
  EndWith(crashed ? ShellExitCode(*facts_.failure->status) : 1);
}

void AppRun::OnFacts(const Registry& registry, ServiceId id, const link::Facts& facts) {
  const Wish* own = OwnOf(registry);
  if (own == nullptr || own->id != id) return;
  facts_ = facts;
  EndIfAppHas();
}

void AppRun::EndIfAppHas() {
  if (answered_ && facts_.exit_code) EndWith(*facts_.exit_code);
}

void AppRun::EndWith(int code) {
  if (ending_) return;
  ending_ = true;
  exit_code_ = code;
  events_.end();
}

}  // namespace slc
