// LinePattern: what `slc logs --grep` looks for in a line.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"

namespace slc::ctl {

// A regular expression (ECMAScript), found anywhere in a line in time linear in its length,
// whatever the expression; or a plain text.
class LinePattern {
 public:
  // kUsage with the reason if `expression` is none. Back references are not supported.
  static Result<LinePattern> Compile(const std::string& expression);
  LinePattern(LinePattern&&) noexcept;
  LinePattern& operator=(LinePattern&&) noexcept;
  ~LinePattern();

  bool Matches(const std::string& line) const;

 private:
  struct Impl;
  explicit LinePattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::ctl
