// ChildLines: what a child prints into a pipe, line by line, fit to be shown to somebody else.
//
// Bounded: of a line that is too long the beginning is told, and after kMost lines only that there
// are more. The newest are kept, to be shown when the child has failed.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"

namespace slc::deploy {

class ChildLines {
 public:
  static constexpr std::size_t kMost = 5'000;
  static constexpr std::size_t kLongest = 2'000;  // bytes
  static constexpr std::size_t kKept = 20;

  // `pipe`: the end to read from.
  ChildLines(uv::Loop& loop, UniqueFd pipe, std::function<void(const std::string& line)> tell);
  ChildLines(const ChildLines&) = delete;
  ChildLines& operator=(const ChildLines&) = delete;

  // The child has ended: takes what is left, even if somebody else still holds the pipe.
  void Finish();
  std::vector<std::string> last() const { return {last_.begin(), last_.end()}; }

 private:
  // False: there is no more now.
  bool Read();
  void Take(std::string_view bytes);
  void Tell();

  UniqueFd pipe_;
  std::function<void(const std::string& line)> tell_;
  std::string line_;
  std::size_t told_ = 0;
  std::deque<std::string> last_;
  uv::Poll poll_;
};

}  // namespace slc::deploy
