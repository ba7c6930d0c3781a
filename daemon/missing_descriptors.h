// MissingDescriptors: what a master gave to be kept and there was no room for here. It still holds
// them, and is asked for them again until they have come.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/uv/loop.h"
#include "common/uv/timer.h"

namespace slc {

class MissingDescriptors {
 public:
  using Ask = std::function<void(const std::vector<std::string>& names)>;

  MissingDescriptors(uv::Loop& loop, Ask ask);

  void Add(const std::string& name) { names_.insert(name); }
  // It has come, or is not to be kept any more.
  void Remove(const std::string& name) { names_.erase(name); }
  // Another link: what is to be kept is sent anew.
  void Clear() { names_.clear(); }
  std::size_t count() const { return names_.size(); }
  // Sees to it that they are asked for in a while. False if there is nothing to ask for, or that is
  // so already.
  bool AskLater();

 private:
  std::set<std::string> names_;
  uv::Timer timer_;
};

}  // namespace slc
