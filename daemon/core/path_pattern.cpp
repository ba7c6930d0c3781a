#include "daemon/core/path_pattern.h"

#include <algorithm>
#include <utility>

namespace slc {
namespace {

using Set = std::bitset<256>;

std::size_t Byte(char c) { return static_cast<unsigned char>(c); }

Set Only(char c) {
  Set set;
  set.set(Byte(c));
  return set;
}

// Of the C locale; all false for a name that is none.
std::optional<Set> NamedClass(std::string_view name) {
  const auto range = [](std::initializer_list<std::pair<int, int>> ranges) {
    Set set;
    for (const auto& [low, high] : ranges) {
      for (int c = low; c <= high; ++c) set.set(static_cast<std::size_t>(c));
    }
    return set;
  };
  if (name == "alpha") return range({{'a', 'z'}, {'A', 'Z'}});
  if (name == "digit") return range({{'0', '9'}});
  if (name == "alnum") return range({{'a', 'z'}, {'A', 'Z'}, {'0', '9'}});
  if (name == "lower") return range({{'a', 'z'}});
  if (name == "upper") return range({{'A', 'Z'}});
  if (name == "xdigit") return range({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
  if (name == "space") return range({{'\t', '\r'}, {' ', ' '}});
  if (name == "blank") return range({{'\t', '\t'}, {' ', ' '}});
  if (name == "cntrl") return range({{0, 31}, {127, 127}});
  if (name == "print") return range({{32, 126}});
  if (name == "graph") return range({{33, 126}});
  if (name == "punct") return range({{33, 47}, {58, 64}, {91, 96}, {123, 126}});
  return std::nullopt;
}

// Spaces at the end do not belong to it, unless \ stands in front of one.
std::string_view WithoutEnd(std::string_view line) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
    } else if (line[i] == ' ') {
      continue;
    }
    end = i + 1;
  }
  return line.substr(0, end);
}

}  // namespace

std::optional<PathPattern> PathPattern::Parse(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty() || line[0] == '#') return std::nullopt;
  line = WithoutEnd(line);
  PathPattern pattern;
  if (!line.empty() && line[0] == '!') {
    pattern.negated_ = true;
    line.remove_prefix(1);
  }
  if (!line.empty() && line.back() == '/') {
    pattern.folders_only_ = true;
    line.remove_suffix(1);
  }
  pattern.anchored_ = line.find('/') != std::string_view::npos;
  if (!line.empty() && line[0] == '/') line.remove_prefix(1);
  if (line.empty() || !pattern.Compile(line)) return std::nullopt;
  return pattern;
}

void PathPattern::AddOne(const Set& set) {
  auto found = std::find(sets_.begin(), sets_.end(), set);
  if (found == sets_.end()) found = sets_.insert(sets_.end(), set);
  parts_.push_back({Part::Kind::kOne, static_cast<std::uint16_t>(found - sets_.begin())});
}

// False: it can match nothing.
bool PathPattern::Compile(std::string_view pattern) {
  constexpr std::size_t kLongest = 4096;
  if (pattern.size() > kLongest) return false;
  const std::size_t literal = std::min(pattern.find_first_of("*?[\\"), pattern.size());
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (++i == pattern.size()) return false;
      AddOne(Only(pattern[i]));
    } else if (c == '?') {
      Set any;
      any.set();
      any.reset(Byte('/'));
      AddOne(any);
    } else if (c == '[') {
      if (!AddClass(pattern, i)) return false;
    } else if (c == '*') {
      std::size_t end = i;
      while (end < pattern.size() && pattern[end] == '*') ++end;
      // git sets the plain beginning apart, and what follows begins anew.
      const bool begins = i == 0 || pattern[i - 1] == '/' || (anchored_ && i == literal);
      const bool ends = end == pattern.size() || pattern[end] == '/';
      if (end - i < 2 || !begins || !ends) {
        parts_.push_back({Part::Kind::kStar});
      } else if (end == pattern.size()) {
        parts_.push_back({Part::Kind::kAll});
      } else {
        parts_.push_back({Part::Kind::kFolders});
        ++end;
      }
      i = end - 1;
    } else {
      AddOne(Only(c));
    }
  }
  return true;
}

// `at`: of the [; becomes that of the ].
bool PathPattern::AddClass(std::string_view pattern, std::size_t& at) {
  Set set;
  std::size_t i = at + 1;
  const bool inverted = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (inverted) ++i;
  // What a range may begin with; kNone behind one.
  constexpr std::size_t kNone = 256;
  std::size_t before = kNone;
  for (bool first = true;; first = false, ++i) {
    if (i >= pattern.size()) return false;
    char c = pattern[i];
    if (c == ']' && !first) break;
    const bool is_range =
        c == '-' && before != kNone && i + 1 < pattern.size() && pattern[i + 1] != ']';
    if (c == '[' && i + 1 < pattern.size() && pattern[i + 1] == ':') {
      const std::size_t end = pattern.find(']', i + 2);
      if (end == std::string_view::npos) return false;
      if (end >= i + 3 && pattern[end - 1] == ':') {
        const auto named = NamedClass(pattern.substr(i + 2, end - 1 - (i + 2)));
        if (!named) return false;
        set |= *named;
        before = kNone;
        i = end;
        continue;
      }
    }
    if (is_range) {
      c = pattern[++i];
      if (c == '\\') {
        if (++i >= pattern.size()) return false;
        c = pattern[i];
      }
      for (std::size_t each = before; each <= Byte(c); ++each) set.set(each);
      before = kNone;
      continue;
    }
    if (c == '\\') {
      if (++i >= pattern.size()) return false;
      c = pattern[i];
    }
    set.set(Byte(c));
    before = Byte(c);
  }
  if (inverted) set.flip();
  set.reset(Byte('/'));
  AddOne(set);
  at = i;
  return true;
}

void PathPattern::Enter(std::size_t part, std::vector<bool>& states) const {
  for (; !states[part]; ++part) {
    states[part] = true;
    if (part == parts_.size() || parts_[part].kind == Part::Kind::kOne) return;
  }
}

// All ways are gone at once, so that none is gone twice.
bool PathPattern::Run(std::string_view text) const {
  // Most paths differ in their first byte.
  const bool plain = !text.empty() && !parts_.empty() && parts_[0].kind == Part::Kind::kOne;
  if (plain && !sets_[parts_[0].set][Byte(text[0])]) return false;
  std::vector<bool> states(parts_.size() + 1);
  std::vector<bool> next;
  Enter(0, states);
  for (const char c : text) {
    next.assign(parts_.size() + 1, false);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (!states[i]) continue;
      switch (parts_[i].kind) {
        case Part::Kind::kOne:
          if (sets_[parts_[i].set][Byte(c)]) Enter(i + 1, next);
          break;
        case Part::Kind::kStar:
          if (c != '/') Enter(i, next);
          break;
        case Part::Kind::kAll:
          Enter(i, next);
          break;
        case Part::Kind::kFolders:
          break;
      }
    }
    // Last: to be within a folder is less than to stand in front of one, which is what Enter means.
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (!states[i] || parts_[i].kind != Part::Kind::kFolders) continue;
      if (c == '/') {
        Enter(i, next);
      } else {
        next[i] = true;
      }
    }
    states.swap(next);
  }
  return states[parts_.size()];
}

bool PathPattern::Matches(std::string_view path, bool is_folder) const {
  if (folders_only_ && !is_folder) return false;
  if (anchored_) return Run(path);
  return Run(path.substr(path.rfind('/') + 1));
}

}  // namespace slc
