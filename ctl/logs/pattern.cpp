#include "ctl/logs/pattern.h"

// g++ 12 takes the library's own NFA for uninitialized when it is built with a sanitizer. (Before
// the header: its lines are what is complained about.)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <algorithm>
#include <cstring>
#include <regex>
#include <utility>

namespace slc::ctl {
namespace {

constexpr const char* kSpecial = "^$\\.*+?()[]{}|";

// A text that every match of the expression contains, as long as is easily seen; empty if none is.
std::string RequiredText(const std::string& expression) {
  // In alternatives and groups nothing is sure to be there.
  if (expression.find_first_of("(|") != std::string::npos) return {};
  std::string best;
  std::string run;
  const auto end_run = [&] {
    if (run.size() > best.size()) best = run;
    run.clear();
  };
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\' && i + 1 < expression.size() &&
        std::strchr(kSpecial, expression[i + 1]) != nullptr) {
      run += expression[++i];
    } else if (c == '\\') {
      // A class, a control character or a code: whatever belongs to it must not count as text.
      return best;
    } else if (c == '*' || c == '?' || c == '{') {
      // What was repeated may be missing.
      if (!run.empty()) run.pop_back();
      end_run();
      if (c == '{') i = std::min(expression.find('}', i), expression.size());
    } else if (c == '[') {
      end_run();
      i = std::min(expression.find(']', i + 2), expression.size());
    } else if (std::strchr(kSpecial, c) != nullptr) {
      end_run();
    } else {
      run += c;
    }
  }
  end_run();
  return best;
}

}  // namespace

struct LinePattern::Impl {
  std::string required;  // a line without it cannot match
  bool plain = false;    // and one with it does
  std::regex regex;
};

LinePattern::LinePattern(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LinePattern::LinePattern(LinePattern&&) noexcept = default;
LinePattern& LinePattern::operator=(LinePattern&&) noexcept = default;
LinePattern::~LinePattern() = default;

Result<LinePattern> LinePattern::Compile(const std::string& expression) {
  auto impl = std::make_unique<Impl>();
  if (expression.find_first_of(kSpecial) == std::string::npos) {
    impl->required = expression;
    impl->plain = true;
    return LinePattern(std::move(impl));
  }
  try {
    // By itself first: what stands around it below may turn nonsense into sense.
    impl->regex = std::regex(expression, std::regex::ECMAScript);
    // The library's usual matcher recurses for each byte of the line, beyond any stack for long
    // ones, and takes exponential time for some expressions. The other one goes through the line
    // once, but only if the expression has to match the whole of it.
    impl->regex =
        std::regex("[^]*(?:" + expression + ")[^]*", std::regex::ECMAScript | std::regex::nosubs |
                                                         std::regex_constants::__polynomial);
  } catch (const std::regex_error& error) {
    return Error{ErrorCode::kUsage,
                 "'" + expression + "' is not a regular expression: " + error.what()};
  }
  impl->required = RequiredText(expression);
  return LinePattern(std::move(impl));
}

bool LinePattern::Matches(const std::string& line) const {
  if (line.find(impl_->required) == std::string::npos) return false;
  return impl_->plain || std::regex_match(line, impl_->regex);
}

}  // namespace slc::ctl
