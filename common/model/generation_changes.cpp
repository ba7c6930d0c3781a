#include "common/model/generation_changes.h"

#include <map>
#include <utility>

#include "common/base/text.h"

namespace slc {
namespace {

std::map<std::string, std::string> Variables(const std::vector<std::string>& block) {
  std::map<std::string, std::string> variables;
  for (const std::string& entry : block) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) variables[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return variables;
}

void AddEnvironment(const GenerationConfig& before, const GenerationConfig& after,
                    std::vector<std::string>& changes) {
  const auto old = Variables(before.environment);
  const auto now = Variables(after.environment);
  const auto tell = [&](const std::string& name, const char* what) {
    changes.push_back("env " + name + " " + what);
  };
  for (const auto& [name, value] : now) {
    const auto found = old.find(name);
    if (found == old.end()) {
      tell(name, "added");
    } else if (found->second != value) {
      tell(name, "changed");
    }
  }
  for (const auto& [name, value] : old) {
    if (now.count(name) == 0) tell(name, "removed");
  }
}

}  // namespace

std::vector<std::string> DescribeGenerationChanges(const GenerationConfig& before,
                                                   const GenerationConfig& after) {
  std::vector<std::string> changes;
  const auto changed = [&](const char* what, const std::string& old, const std::string& now) {
    if (old != now) changes.push_back(std::string(what) + " " + old + " -> " + now);
  };
  changed("folder", before.working_directory, after.working_directory);
  changed("program", before.program, after.program);
  // Arguments may hold secrets. The first is the program.
  const auto behind_first = [](const std::vector<std::string>& all) {
    return std::vector<std::string>(all.begin() + (all.empty() ? 0 : 1), all.end());
  };
  if (behind_first(before.arguments) != behind_first(after.arguments))
    changes.emplace_back("arguments changed");
  if (before.has_run_as != after.has_run_as || before.uid != after.uid || before.gid != after.gid ||
      before.groups != after.groups) {
    changes.emplace_back("the workers' user changed");
  }
  changed("--listen", Join(before.listen, " "), Join(after.listen, " "));
  changed("--balance", Name(before.balance), Name(after.balance));
  changed("--ready", Name(before.readiness), Name(after.readiness));
  if (before.policy != after.policy || before.drain_linger != after.drain_linger ||
      before.stop_signal != after.stop_signal) {
    changes.emplace_back("times or signals changed");
  }
  if (before.limits != after.limits) changes.emplace_back("limits changed");
  changed("--spare", before.policy.spare ? "on" : "off", after.policy.spare ? "on" : "off");
  changed("--compile-cache", before.compile_cache ? "on" : "off",
          after.compile_cache ? "on" : "off");
  AddEnvironment(before, after, changes);
  const auto code = DescribeCodeChanges(before.code, after.code);
  changes.insert(changes.end(), code.begin(), code.end());
  return changes;
}

}  // namespace slc
