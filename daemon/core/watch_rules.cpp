#include "daemon/core/watch_rules.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"

namespace slc {
namespace {

std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool IsLeftBeside(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kEnds{
      "~", ".log", ".swp", ".pyc", ".heapsnapshot", ".cpuprofile", ".pid"};
  // vim tries with it whether the folder can be written.
  if (name == "4913" || name.find("___jb_") != std::string_view::npos) return true;
  if (name.size() > 1 && name.front() == '#' && name.back() == '#') return true;
  return std::any_of(kEnds.begin(), kEnds.end(),
                     [&](std::string_view end) { return EndsWith(name, end); });
}

}  // namespace

WatchRules::WatchRules(const std::vector<std::string>& only)
    : only_(IgnoreFile::Parse(Join(only, "\n"))) {}

bool WatchRules::IsPattern(const std::string& pattern) {
  const auto parsed = PathPattern::Parse(pattern);
  return parsed && !parsed->negated() && pattern.find('\n') == std::string::npos;
}

std::string WatchRules::PlaceOf(std::string_view path) const {
  if (place_.empty() || path.empty()) return place_ + std::string(path);
  return place_ + "/" + std::string(path);
}

bool WatchRules::Watches(std::string_view folder) const {
  const std::string_view name = NameOf(folder);
  if (name[0] == '.' || name == "node_modules" || name == "__pycache__") return false;
  if (!foreign_.empty() && folder == foreign_) return false;
  return !git_.Ignores(PlaceOf(folder), true);
}

bool WatchRules::Counts(std::string_view file) const {
  const bool variables = file == ".env";
  const std::string_view name = NameOf(file);
  if (!variables && (name[0] == '.' || IsLeftBeside(name) || git_.Ignores(PlaceOf(file), false))) {
    return false;
  }
  const std::size_t slash = file.rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? "" : file.substr(0, slash);
  return CountsWhole(folder) || only_.Ignores(file, false).has_value();
}

bool WatchRules::CountsWhole(std::string_view folder) const {
  if (only_.empty()) return true;
  for (std::size_t end = 0; end < folder.size();) {
    end = std::min(folder.find('/', end + 1), folder.size());
    if (only_.Ignores(folder.substr(0, end), true)) return true;
  }
  return false;
}

}  // namespace slc
