#include "daemon/replacement.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "common/base/ids.h"
#include "common/base/lock_holder.h"
#include "common/base/process.h"
#include "common/wire/client.h"
#include "common/wire/messages.h"

namespace slc {
namespace {

enum class Finding { kAnswers, kGone, kSilent };

// One question; true if anything comes back before `deadline`.
bool Ask(const std::string& socket, Millis deadline) {
  auto client = ControlClient::Connect(socket);
  if (!client) return false;
  Request request;
  request.id = NewRequestId();
  request.body = GetInfo{};
  if (!client->Send(request)) return false;
  auto message = client->Receive(std::max<Millis>(0, deadline - BootNow()));
  return message && *message;
}

Finding AskFor(const std::string& socket, const UniqueFd& pidfd, Millis patience) {
  // One that is about to listen, or to leave, is met again soon.
  constexpr int kAgain = 50;
  const Millis deadline = BootNow() + patience;
  do {
    if (HasEnded(pidfd, 0)) return Finding::kGone;
    if (Ask(socket, deadline)) return Finding::kAnswers;
  } while (!HasEnded(pidfd, kAgain) && BootNow() < deadline);
  return HasEnded(pidfd, 0) ? Finding::kGone : Finding::kSilent;
}

std::string StateOf(pid_t pid) {
  if (HangsInKernel(pid)) return "D, it waits for a disk or a device";
  const auto usage = ReadUsage(pid);
  return usage ? std::string(1, usage->state) : std::string("unknown");
}

}  // namespace

Result<std::string> EndSilentDaemon(const HomePaths& paths, const std::string& holder,
                                    const ReplacementPatience& patience) {
  const auto found = ReadLockHolder(holder);
  if (!found) {
    return Error{ErrorCode::kConflict,
                 "another slcd has the lock of " + paths.home + " and has not said who it is"};
  }
  const std::string who = "slcd (pid " + std::to_string(found->process.pid) + ")";
  const Error gone{ErrorCode::kConflict, who + " has left its place"};
  const UniqueFd pidfd = OpenProcess(found->process);
  if (!pidfd) return gone;
  const std::string socket = paths.run + "/" + kDaemonSocket;
  constexpr int kTimes = 2;
  for (int i = 0; i < kTimes; ++i) {
    const Finding finding = AskFor(socket, pidfd, patience.answer);
    if (finding == Finding::kGone) return gone;
    if (finding == Finding::kAnswers) return Error{ErrorCode::kConflict, who + " answers"};
  }
  const std::string silent = who + " has not answered for " + FormatSpan(kTimes * patience.answer);
  if (found->kept) {
    return Error{ErrorCode::kPermission,
                 silent + "; whoever started it (systemd, slc run) is to end and restart it"};
  }
  SignalProcess(pidfd, SIGKILL);
  if (!HasEnded(pidfd, static_cast<int>(patience.end))) {
    return Error{ErrorCode::kTimeout,
                 silent + " and does not end after SIGKILL (state " + StateOf(found->process.pid) +
                     "); the services go on, and the next command tries again"};
  }
  return silent + " and was killed";
}

Result<std::string> EndUnkeptDaemon(const std::string& holder, Millis leave) {
  constexpr int kPause = 20;
  constexpr int kEnd = 5000;
  const auto found = ReadLockHolder(holder);
  const UniqueFd pidfd = found ? OpenProcess(found->process) : UniqueFd();
  if (!pidfd) {
    ::poll(nullptr, 0, kPause);
    return std::string();
  }
  const std::string who = "slcd (pid " + std::to_string(found->process.pid) + ")";
  if (found->kept) return Error{ErrorCode::kConflict, who + " is looked after"};
  SignalProcess(pidfd, SIGTERM);
  if (HasEnded(pidfd, static_cast<int>(leave))) return who + " was told to leave";
  SignalProcess(pidfd, SIGKILL);
  if (HasEnded(pidfd, kEnd)) return who + " did not leave when told to and was killed";
  return Error{ErrorCode::kTimeout, who + " does not end after SIGKILL"};
}

}  // namespace slc
