#include <poll.h>
#include <sys/klog.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/journal.h"
#include "tests/system/harness/current_test.h"
#include "tests/system/harness/home_processes.h"
#include "tests/system/harness/world.h"

namespace slc::test {
namespace {

using nlohmann::json;

namespace fs = std::filesystem;

std::string LastLines(const std::string& text, std::size_t count) {
  const auto lines = LinesOf(text);
  std::string last;
  for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i) {
    last += "    " + lines[i] + "\n";
  }
  return last;
}

// How many descriptors of each kind a process of ours may have.
using Kinds = std::map<std::string, std::size_t>;

// Kinds of which there are more than `most` says, for people; empty if all is well.
std::string Excess(pid_t pid, const Kinds& most) {
  Kinds open;
  for (std::string file : OpenFiles(pid)) {
    if (StartsWith(file, "/memfd")) file = "memfd";
    if (most.count(file) > 0) ++open[file];
  }
  std::string text;
  for (const auto& [kind, count] : open) {
    if (count <= most.at(kind)) continue;
    text +=
        " " + std::to_string(count) + " x " + kind + " instead of " + std::to_string(most.at(kind));
  }
  return text;
}

}  // namespace

void World::End() {
  if (ended_) return;
  ended_ = true;
  const bool used = Exists(home_);
  if (used) {
    CheckDescriptors();
    const Ran ran = Slc({"ctl", "shutdown"});
    CHECK_MESSAGE(ran.code == 0, "slc ctl shutdown at the end: ", ran.out, ran.err);
    CheckNothingIsLeft();
    CheckLogs();
    CheckKernelLog();
  }
  CheckSanitizers();
}

// A process that has settled has what its workers need and no more. Seen with `ls -l /proc/PID/fd`:
// two pipes are libuv's (signals, other threads); without workers a master has three descriptors of
// epoll and pidfds, and one of a slcd that it has started, slcd two. One socket of slcd's is ours,
// who ask.
std::string World::DescriptorsTooMany() {
  const auto daemon = Daemon();
  if (!daemon) return {};
  std::size_t workers = 0;
  std::size_t masters = 0;
  std::size_t listeners = 0;
  bool timed = false;
  std::size_t watching = 0;
  for (const ServiceView& view : Views()) {
    timed = timed || !view.restart_at.empty();
    if (!view.watch.empty()) ++watching;
    const bool settled = view.state == "running" || view.state == "stopped";
    if (!settled) return {};
    if (view.processes.empty()) continue;
    std::set<std::string> addresses;
    for (const ProcessView& process : view.processes) {
      if (process.state != "ready" && process.state != "spare") return {};
      addresses.insert(process.listening.begin(), process.listening.end());
    }
    const std::size_t own = view.processes.size() - 1;
    const auto beside = more_sockets_.find(view.name);
    const std::size_t sockets =
        addresses.size() + (beside == more_sockets_.end() ? 0 : beside->second);
    // Of a state and its successor while it grows, and of a roll's two generations.
    const std::string excess = Excess(view.processes[0].pid, {{"pipe", 4 + 2 * own},
                                                              {"anon_inode", 4 + own},
                                                              {"socket", 2 + own + sockets},
                                                              {"memfd", 4}});
    if (!excess.empty()) return "the master of " + view.name + " has" + excess;
    ++masters;
    workers += own;
    listeners += sockets;
  }
  // Of the gateway its words, its pidfd, its connection and what it listens on.
  const std::string wish = ReadText(home_ + "/gateway.json");
  const auto gateway = json::parse(wish.empty() ? "{}" : wish);
  const std::size_t up = gateway.value("run", false) ? 1 : 0;
  const std::size_t doors = up == 0 ? 0 : gateway["listen"].size();
  const std::string excess =
      Excess(daemon->pid, {{"pipe", 4 + 2 * workers + up},
                           {"anon_inode", 2 + masters + watching + (timed ? 1U : 0U) + up},
                           {"socket", 2 + masters + workers + listeners + up + doors},
                           {"memfd", 4 * masters}});
  return excess.empty() ? std::string() : "slcd has" + excess;
}

void World::CheckDescriptors() {
  // Of what has just ended, and of clients that have just left.
  constexpr Millis kPatience = 5'000;
  const Millis deadline = BootNow() + kPatience;
  std::string excess = DescriptorsTooMany();
  while (!excess.empty() && BootNow() < deadline) {
    ::poll(nullptr, 0, 20);
    excess = DescriptorsTooMany();
  }
  CHECK_MESSAGE(excess.empty(), "descriptors are leaked: ", excess);
}

void World::CheckNothingIsLeft() {
  // slcd answers before it is gone.
  constexpr Millis kPatience = 5'000;
  const Millis deadline = BootNow() + kPatience;
  std::vector<ProcessIdentity> left = FindAllOf(home_);
  while (!left.empty() && BootNow() < deadline) {
    ::poll(nullptr, 0, 10);
    left = FindAllOf(home_);
  }
  std::string names;
  for (const ProcessIdentity& each : left) {
    std::string command = ReadText("/proc/" + std::to_string(each.pid) + "/cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    names += "\n  pid " + std::to_string(each.pid) + ": " + command;
  }
  CHECK_MESSAGE(left.empty(), "processes are left after shutdown:", names);
}

void World::CheckLogs() {
  // A master that crashes has no log of its own to say so: slcd's says that there is a new one.
  static const Words suspicious{" warning ", " error ",   " critical ",     "has taken over",
                                "ssertion",  "Sanitizer", "runtime error:", "terminate called",
                                "abort",     "leaked"};
  for (const std::string& line : LinesOf(DaemonLog())) {
    const auto holds = [&](const std::string& part) { return Contains(line, part); };
    const bool bad = std::any_of(suspicious.begin(), suspicious.end(), holds);
    if (!bad || std::any_of(expected_.begin(), expected_.end(), holds)) continue;
    ADD_FAIL_CHECK_AT(__FILE__, __LINE__, "unexpected line in slcd's log: " << line);
  }
}

// A slcd or master that crashes is replaced so soon that a test need not notice: the kernel does.
// Where its log may not be read nothing is said.
void World::CheckKernelLog() {
  constexpr int kReadAll = 3;
  std::string text(1U << 20, '\0');
  const int length = ::klogctl(kReadAll, text.data(), static_cast<int>(text.size()));
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  const std::string journal =
      ReadText(home_ + "/" + kOlderJournalFile) + ReadText(home_ + "/" + kJournalFile);
  for (const std::string& line : LinesOf(text)) {
    if (!Contains(line, "segfault") && !Contains(line, "trap ") && !Contains(line, "general prot"))
      continue;
    for (const std::string name : {"slcd[", "slc-master["}) {
      const std::size_t at = line.find(name);
      if (at == std::string::npos) continue;
      const std::string pid = line.substr(at + name.size(), line.find(']', at) - at - name.size());
      // Pids come back: only of one that began after this world did.
      const double when = std::strtod(line.substr(line.find('[') + 1).c_str(), nullptr);
      const bool ours =
          when * 1000 >= static_cast<double>(began_) &&
          (Contains(journal, "\"pid\":" + pid + ",") || Contains(journal, "\"pid\":" + pid + "}"));
      if (ours) ADD_FAIL_CHECK_AT(__FILE__, __LINE__, "a crash: " << line);
    }
  }
}

void World::CheckSanitizers() {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string path = entry.path();
    if (!StartsWith(path, folder_ + "/sanitizer.")) continue;
    ADD_FAIL_CHECK_AT(__FILE__, __LINE__, "a sanitizer's report: " << ReadText(path));
  }
}

void World::ShowEvidence() const {
  std::string text =
      "\n---- evidence of \"" + CurrentTestName() + "\" is kept in " + folder_ + "\n";
  constexpr std::size_t kLines = 15;
  text += "  slcd.log:\n" + LastLines(DaemonLog(), kLines);
  std::error_code ignored;
  for (auto it = fs::recursive_directory_iterator(home_ + "/logs", ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    const std::string path = it->path();
    if (!EndsWith(path, "/out.log") && !EndsWith(path, "/err.log")) continue;
    text += "  " + path.substr(home_.size() + 1) + ":\n" + LastLines(ReadText(path), kLines);
  }
  std::fputs(text.c_str(), stderr);
}

}  // namespace slc::test
