#include "daemon/supervisor.h"

#include "common/base/log.h"

namespace slc {

// Half of what is asked for, as sd_watchdog_enabled(3) advises.
Supervisor::Supervisor(uv::Loop& loop, const Supervision& supervision)
    : loop_(loop), every_(supervision.watchdog / 2), beat_(loop, [this] { Beat(); }) {}

void Supervisor::Ready(const std::string& status) {
  ready_ = true;
  status_ = status;
  Tell("READY=1\nSTATUS=" + status);
  if (every_ > 0) Beat();
}

void Supervisor::Show(const std::string& status) {
  if (!ready_ || status == status_) return;
  status_ = status;
  Tell("STATUS=" + status);
}

void Supervisor::Leave(const std::string& status) {
  ready_ = false;
  Tell("STOPPING=1\nSTATUS=" + status);
}

void Supervisor::Beat() {
  if (Tell("WATCHDOG=1")) {
    // At full multiples, like the pings of masters: one wake-up serves both.
    beat_.StartAt(loop_.now() - loop_.now() % every_ + every_);
  } else {
    beat_.StartIn(every_ / 10);
  }
}

bool Supervisor::Tell(const std::string& text) {
  const Status told = NotifySupervisor(text);
  const bool busy = !told && told.error().code == ErrorCode::kTimeout;
  if (!told && !busy && !refused_) log::Warn(told.error().message);
  refused_ = !told;
  return told.ok();
}

}  // namespace slc
