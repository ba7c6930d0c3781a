// OpenFilesBaseline: what slcd and the master of each service have open when all is calm, plain
// files by their paths, so that a leak of one descriptor of any kind is seen.
#pragma once

#include <map>
#include <string>

#include "tests/system/harness.h"

namespace slc::test {

class OpenFilesBaseline {
 public:
  explicit OpenFilesBaseline(World& world) : world_(world), most_(Look()) {}

  // Waits until nobody has more open than at first; fails the test if that never comes.
  void Await() const;

 private:
  // By process ("slcd", "the master of NAME") and by what is open ("socket", a path), how many.
  using Counts = std::map<std::string, std::map<std::string, int>>;
  Counts Look() const;
  std::string Excess() const;

  World& world_;
  Counts most_;
};

}  // namespace slc::test
