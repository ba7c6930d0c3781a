#include "tests/faults/open_files_baseline.h"

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/system/dice.h"

namespace slc::test {

void OpenFilesBaseline::Await() const {
  // Of what has just ended, and of clients that have just left.
  constexpr Millis kPatience = 5'000;
  const Millis deadline = BootNow() + kPatience;
  std::string excess = Excess();
  while (!excess.empty() && BootNow() < deadline) {
    LetPass(10);
    excess = Excess();
  }
  CHECK_MESSAGE(excess.empty(), "descriptors are leaked: ", excess);
}

OpenFilesBaseline::Counts OpenFilesBaseline::Look() const {
  Counts counts;
  const auto count = [&counts](const std::string& process, pid_t pid) {
    for (const std::string& file : OpenFiles(pid)) {
      // A state has a memfd of its own; their names tell the service.
      ++counts[process][StartsWith(file, "/memfd:") ? "memfd" : file];
    }
  };
  if (const auto daemon = world_.Daemon()) count("slcd", daemon->pid);
  for (const ServiceView& view : world_.Views()) {
    if (view.processes.empty()) continue;
    count("the master of " + view.name, view.processes[0].pid);
  }
  return counts;
}

std::string OpenFilesBaseline::Excess() const {
  std::string text;
  for (const auto& [process, files] : Look()) {
    const auto most = most_.find(process);
    if (most == most_.end()) continue;
    for (const auto& [file, now] : files) {
      const auto known = most->second.find(file);
      const int before = known == most->second.end() ? 0 : known->second;
      if (now <= before) continue;
      text += process + " has " + std::to_string(now) + " x " + file + " instead of " +
              std::to_string(before) + "; ";
    }
  }
  return text;
}

}  // namespace slc::test
