#include "ctl/logs/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace slc::ctl {

LogWatch::LogWatch(std::vector<std::string> directories)
    : directories_(std::move(directories)),
      watches_(directories_.size(), -1),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  AddMissing();
}

LogWatch::~LogWatch() = default;

void LogWatch::AddMissing() {
  if (!inotify_) return;
  for (std::size_t i = 0; i < directories_.size(); ++i) {
    if (watches_[i] >= 0) continue;
    watches_[i] = ::inotify_add_watch(
        inotify_.get(), directories_[i].c_str(),
        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR);
  }
}

LogWatch::Outcome LogWatch::Wait(int out_fd) {
  AddMissing();
  pollfd entries[2] = {{inotify_.get(), POLLIN, 0}, {out_fd, 0, 0}};
  const int ready = ::poll(entries, 2, 1000);
  if (ready < 0 && errno == EINTR) return Outcome::kInterrupted;
  if ((entries[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return Outcome::kHungUp;
  alignas(inotify_event) char buffer[4096];
  ssize_t got = 0;
  while (inotify_ && (got = ::read(inotify_.get(), buffer, sizeof buffer)) > 0) {
    for (const char* at = buffer; at < buffer + got;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      at += sizeof event + event.len;
      if ((event.mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) == 0) continue;
      // The directory of that name is another one now, or will be.
      const auto watch = std::find(watches_.begin(), watches_.end(), event.wd);
      if (watch == watches_.end()) continue;
      if ((event.mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(inotify_.get(), event.wd);
      *watch = -1;
    }
  }
  return Outcome::kChanged;
}

}  // namespace slc::ctl
