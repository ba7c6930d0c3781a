#include "common/base/leftovers.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string_view>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

// Twenty rounds end the most stubborn double-forkers; a fork bomb needs a cgroup.
constexpr int kMostRounds = 20;

std::string VariableOf(const std::string& cookie) {
  return std::string(kCookieVariable) + "=" + cookie;
}

// An exec takes microseconds. One that loses its core in the middle of it waits for its turn: with
// five that want to run on each core more than 50 ms were seen, 1 in 2000 times.
constexpr std::chrono::milliseconds kExecTakes{500};

// Nothing if it cannot be read, or is being made: in the middle of an exec a process has its new
// memory, but neither arguments nor environment, which `executing` then tells.
std::optional<std::string> ReadEnvironment(pid_t pid, bool& executing) {
  const std::string path = "/proc/" + std::to_string(pid) + "/environ";
  constexpr std::size_t kMost = 8U << 20;
  auto environment = ReadFile(path, kMost);
  if (!environment) return std::nullopt;
  if (!environment->empty()) return std::move(*environment);
  // It is empty for certain (or the process has unmapped it) if one and the same program was
  // executed before and after that was read.
  const auto image = ReadImage(pid);
  if (!image) return std::nullopt;
  environment = ReadFile(path, kMost);
  if (!environment) return std::nullopt;
  executing = environment->empty() && (image->code == 0 || ReadImage(pid) != image);
  if (executing) return std::nullopt;
  return std::move(*environment);
}

// The variables of a process's environment at exec that name a cookie; nothing if that cannot be
// told yet, because it is in the middle of an exec.
std::optional<std::vector<std::string>> CookieVariables(pid_t pid) {
  std::vector<std::string> variables;
  const std::string prefix = VariableOf("");
  bool executing = false;
  const auto environment = ReadEnvironment(pid, executing);
  if (executing) return std::nullopt;
  if (!environment) return variables;
  for (std::size_t at = environment->find(prefix); at != std::string::npos;
       at = environment->find(prefix, at + 1)) {
    if (at > 0 && (*environment)[at - 1] != '\0') continue;
    variables.emplace_back(environment->c_str() + at);
  }
  return variables;
}

// A variable that is looked for and ends in '.' stands for all that begin with it; `spares` is
// asked for what follows that.
bool Carries(const std::vector<std::string>& variables, const std::string& wanted,
             const LeftoverSweep::Spares& spares = nullptr) {
  return std::any_of(variables.begin(), variables.end(), [&](const std::string& variable) {
    if (wanted.back() != '.') return variable == wanted;
    return StartsWith(variable, wanted) && !(spares && spares(variable.substr(wanted.size())));
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

void LeftoverSweep::AddAllBut(std::uint64_t key, const std::string& cookie, Spares spares) {
  Target target;
  target.variable = VariableOf(cookie);
  target.spares = std::move(spares);
  targets_[key] = std::move(target);
}

std::vector<LeftoverSweep::Done> LeftoverSweep::Step(Clock::duration slice) {
  const auto until = Clock::now() + slice;
  std::size_t looked_again = 0;
  while (!targets_.empty()) {
    if (!round_) {
      round_ = std::make_unique<ProcessWalk>();
      for (auto& [key, target] : targets_) {
        ++target.rounds;
        target.found_new = false;
      }
    }
    const pid_t pid = round_->Next();
    const auto now = Clock::now();
    if (pid != 0) {
      if (pid != ::getpid()) LookAt(pid);
      settle_by_ = now + kExecTakes;
    } else if (!executing_.empty() && now < settle_by_) {
      // All of them are still at it: to look again at once is no use.
      if (looked_again++ >= executing_.size()) break;
      const pid_t again = executing_.front();
      executing_.pop_front();
      LookAt(again);
    } else {
      auto done = EndRound();
      if (!done.empty()) return done;
    }
    if (now >= until) break;
  }
  return {};
}

void LeftoverSweep::LookAt(pid_t pid) {
  // Before its environment: what is signalled must be what was looked at.
  const auto before = ReadSession(pid);
  if (!before) return;
  const auto variables = CookieVariables(pid);
  if (!variables) executing_.push_back(pid);
  for (auto& [key, target] : targets_) {
    if (target.rounds == 0) continue;  // added after this round began
    const bool belongs = (variables && Carries(*variables, target.variable, target.spares)) ||
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
  executing_.clear();
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

namespace {

// Calls `tell(pid, variables)` for all processes but the caller, one by one.
template <typename Tell>
void ForEachWithCookies(Tell&& tell) {
  std::vector<pid_t> executing;
  const auto look = [&](pid_t pid) {
    const auto variables = CookieVariables(pid);
    if (!variables) return executing.push_back(pid);
    tell(pid, *variables);
  };
  ProcessWalk processes;
  while (const pid_t pid = processes.Next()) {
    if (pid != ::getpid()) look(pid);
  }
  // Who is not awaited gets away.
  for (auto pause = kExecTakes; !executing.empty() && pause.count() > 0; --pause) {
    ::poll(nullptr, 0, 1);
    for (const pid_t pid : std::exchange(executing, {})) look(pid);
  }
}

}  // namespace

std::vector<ProcessIdentity> FindByCookie(const std::string& cookie) {
  const std::string wanted = VariableOf(cookie);
  std::vector<ProcessIdentity> found;
  ForEachWithCookies([&](pid_t pid, const std::vector<std::string>& variables) {
    if (!Carries(variables, wanted)) return;
    if (const auto identity = IdentifyProcess(pid)) found.push_back(*identity);
  });
  return found;
}

std::set<std::string> CookiesFrom(const std::string& prefix) {
  const std::string wanted = VariableOf(prefix);
  const std::size_t name = VariableOf("").size();
  std::set<std::string> cookies;
  ForEachWithCookies([&](pid_t, const std::vector<std::string>& variables) {
    for (const std::string& variable : variables) {
      if (StartsWith(variable, wanted)) cookies.insert(variable.substr(name));
    }
  });
  return cookies;
}

std::vector<LeftoverSweep::Done> LeftoverSweep::Finish() {
  std::vector<Done> all;
  while (!idle()) {
    const auto done = Step(std::chrono::hours(1));
    all.insert(all.end(), done.begin(), done.end());
    // Somebody is in the middle of an exec.
    if (done.empty()) ::poll(nullptr, 0, 1);
  }
  return all;
}

int KillByCookie(const std::string& cookie, const std::optional<ProcessIdentity>& leader) {
  LeftoverSweep sweep;
  sweep.Add(0, cookie, leader);
  return sweep.Finish().front().signalled;
}

}  // namespace slc
