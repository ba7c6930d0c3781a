// Progress: what is shown while something takes longer than a second. One line on standard error,
// rewritten in place; nothing at all when that is no terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/wire/messages.h"

namespace slc::ctl {

// What the line says. Pure.
class ProgressText {
 public:
  // `doing`: "soft-restarting my-app".
  explicit ProgressText(std::string doing) : doing_(std::move(doing)) {}

  // How many workers there will be in the end, once known.
  void SetTotal(std::uint32_t total) { total_ = total; }
  bool has_total() const { return total_.has_value(); }
  void On(const Progress& progress);

  // "soft-restarting my-app: worker 2 of 4 ... (3 s)"
  std::string Line(Millis elapsed) const;

 private:
  std::string doing_;
  std::optional<std::uint32_t> total_;
  std::uint32_t ready_ = 0;
  bool draining_ = false;
  std::string note_;  // what is waited for, until something else happens
};

// The line on the terminal.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled) : enabled_(enabled) {}
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  bool enabled() const { return enabled_; }
  void Show(const std::string& line);
  // To be called before anything else is written to the terminal.
  void Clear();

 private:
  bool enabled_;
  std::string shown_;
};

}  // namespace slc::ctl
