#include "daemon/master/autogroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/base/unique_fd.h"

namespace slc {

int WriteAutogroupNice(pid_t leader, int nice) {
  const std::string path = "/proc/" + std::to_string(leader) + "/autogroup";
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  const std::string text = std::to_string(nice);
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

void Autogroup::SetNice(const ProcessIdentity& leader, int nice) {
  wanted_.push_back({leader, nice});
  if (!timer_.active()) Write();
}

void Autogroup::Write() {
  constexpr Millis kAgain = 120;
  while (!wanted_.empty()) {
    const Wanted& next = wanted_.front();
    const bool lives = IdentifyProcess(next.leader.pid) == next.leader;
    if (lives && WriteAutogroupNice(next.leader.pid, next.nice) == EAGAIN)
      return timer_.StartIn(kAgain);
    wanted_.pop_front();
  }
}

}  // namespace slc
