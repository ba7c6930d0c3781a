// MissingDescriptors: what a master gave to be kept and there was no room for here. It still holds
// them, and is asked for them again until they have come.
#pragma once

#include <functional>
#include <optional>
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

  void Add(const std::string& name);
  // It has come, or is not to be kept any more.
  void Remove(const std::string& name) { names_.erase(name); }
  // Another link: what is to be kept is sent anew.
  void Clear();
  // Sees to it that they are asked for in a while, if there are any.
  void AskLater();
  // What is to be told, once each time: how many are missing when that begins, and how many have
  // been in all when none is any more.
  std::optional<std::size_t> Begun();
  std::optional<std::size_t> Over();

 private:
  std::set<std::string> names_;
  std::set<std::string> all_;  // since none was missing
  bool told_ = false;
  uv::Timer timer_;
};

}  // namespace slc
