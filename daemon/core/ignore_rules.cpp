#include "daemon/core/ignore_rules.h"

#include <utility>

#include "common/base/text.h"

namespace slc {

IgnoreFile IgnoreFile::Parse(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";  // of some editors
  constexpr std::size_t kMostPatterns = 10'000;
  if (StartsWith(text, kMark)) text.remove_prefix(kMark.size());
  IgnoreFile file;
  while (!text.empty() && file.patterns_.size() < kMostPatterns) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    auto pattern = PathPattern::Parse(text.substr(0, end));
    if (pattern) file.patterns_.push_back(std::move(*pattern));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return file;
}

std::optional<bool> IgnoreFile::Ignores(std::string_view path, bool is_folder) const {
  for (auto pattern = patterns_.rbegin(); pattern != patterns_.rend(); ++pattern) {
    if (pattern->Matches(path, is_folder)) return !pattern->negated();
  }
  return std::nullopt;
}

void IgnoreRules::Set(const std::string& folder, IgnoreFile file) {
  if (file.empty()) {
    files_.erase(folder);
  } else {
    files_.insert_or_assign(folder, std::move(file));
  }
}

bool IgnoreRules::Ignores(std::string_view path, bool is_folder) const {
  for (std::size_t end = path.rfind('/');; end = path.substr(0, end).rfind('/')) {
    const bool top = end == std::string_view::npos;
    const auto found = files_.find(top ? std::string_view() : path.substr(0, end));
    if (found != files_.end()) {
      const auto ignores = found->second.Ignores(top ? path : path.substr(end + 1), is_folder);
      if (ignores) return *ignores;
    }
    if (top) break;
  }
  return least_.Ignores(path, is_folder).value_or(false);
}

bool IgnoreRules::IgnoresAny(std::string_view path, bool is_folder) const {
  for (std::size_t end = path.find('/'); end != std::string_view::npos;
       end = path.find('/', end + 1)) {
    if (Ignores(path.substr(0, end), true)) return true;
  }
  return Ignores(path, is_folder);
}

}  // namespace slc
