#include "common/base/leftovers.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string_view>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

// Twenty rounds end the most stubborn double-forkers; a fork bomb needs a cgroup.
constexpr int kMostRounds = 20;

std::string VariableOf(const std::string& cookie) {
  return std::string(kCookieVariable) + "=" + cookie;
}

// The variables of a process's environment at exec that name a cookie.
std::vector<std::string> CookieVariables(pid_t pid) {
  std::vector<std::string> variables;
  const std::string prefix = VariableOf("");
  auto environment = ReadFile("/proc/" + std::to_string(pid) + "/environ", 8U << 20);
  if (!environment) return variables;
  for (std::size_t at = environment->find(prefix); at != std::string::npos;
       at = environment->find(prefix, at + 1)) {
    if (at > 0 && (*environment)[at - 1] != '\0') continue;
    variables.emplace_back(environment->c_str() + at);
  }
  return variables;
}

// A variable that is looked for and ends in '.' stands for all that begin with it.
bool Carries(const std::vector<std::string>& variables, const std::string& wanted) {
  return std::any_of(variables.begin(), variables.end(), [&](const std::string& variable) {
    return wanted.back() == '.' ? StartsWith(variable, wanted) : variable == wanted;
  });
}

// True if session `session` is the one that `leader` leads, or led: while it has members its number
// is not given to anybody else. A stranger who has the number now began a session of his own.
bool IsSessionOf(const ProcessIdentity& leader, pid_t session) {
  if (session != leader.pid) return false;
  const auto now = IdentifyProcess(leader.pid);
  return !now || *now == leader;
}

}  // namespace

void LeftoverSweep::Add(std::uint64_t key, const std::string& cookie,
                        const std::optional<ProcessIdentity>& leader) {
  Target target;
  target.variable = VariableOf(cookie);
  target.leader = leader;
  targets_[key] = std::move(target);
}

std::vector<LeftoverSweep::Done> LeftoverSweep::Step(Clock::duration slice) {
  const auto until = Clock::now() + slice;
  while (!targets_.empty()) {
    if (!round_) {
      round_ = std::make_unique<ProcessWalk>();
      for (auto& [key, target] : targets_) {
        ++target.rounds;
        target.found_new = false;
      }
    }
    const pid_t pid = round_->Next();
    if (pid == 0) {
      auto done = EndRound();
      if (!done.empty()) return done;
    } else if (pid != ::getpid()) {
      LookAt(pid);
    }
    if (Clock::now() >= until) break;
  }
  return {};
}

void LeftoverSweep::LookAt(pid_t pid) {
  // Before its environment: what is signalled must be what was looked at.
  const auto before = ReadSession(pid);
  if (!before) return;
  const std::vector<std::string> variables = CookieVariables(pid);
  for (auto& [key, target] : targets_) {
    if (target.rounds == 0) continue;  // added after this round began
    const bool belongs = Carries(variables, target.variable) ||
                         (target.leader && IsSessionOf(*target.leader, before->session));
    if (!belongs) continue;
    // Who was signalled forks no more, however long it takes to die.
    auto& signalled = target.signalled;
    if (std::find(signalled.begin(), signalled.end(), before->process) != signalled.end()) continue;
    const UniqueFd pidfd = OpenProcess(before->process);
    if (!pidfd || HasEnded(pidfd, 0) || !SignalProcess(pidfd, SIGKILL)) continue;
    signalled.push_back(before->process);
    target.found_new = true;
  }
}

std::vector<LeftoverSweep::Done> LeftoverSweep::EndRound() {
  round_.reset();
  std::vector<Done> done;
  for (auto entry = targets_.begin(); entry != targets_.end();) {
    const Target& target = entry->second;
    if (target.rounds == 0 || (target.found_new && target.rounds < kMostRounds)) {
      ++entry;
      continue;
    }
    done.push_back({entry->first, static_cast<int>(target.signalled.size())});
    entry = targets_.erase(entry);
  }
  return done;
}

std::vector<ProcessIdentity> FindByCookie(const std::string& cookie) {
  const std::string wanted = VariableOf(cookie);
  std::vector<ProcessIdentity> found;
  ProcessWalk processes;
  while (const pid_t pid = processes.Next()) {
    if (pid == ::getpid() || !Carries(CookieVariables(pid), wanted)) continue;
    if (const auto identity = IdentifyProcess(pid)) found.push_back(*identity);
  }
  return found;
}

int KillByCookie(const std::string& cookie, const std::optional<ProcessIdentity>& leader) {
  LeftoverSweep sweep;
  sweep.Add(0, cookie, leader);
  int signalled = 0;
  while (!sweep.idle()) {
    for (const auto& done : sweep.Step(std::chrono::hours(1))) signalled += done.signalled;
  }
  return signalled;
}

}  // namespace slc
