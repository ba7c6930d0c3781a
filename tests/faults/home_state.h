// HomeState: all that a home holds of its services, as text to compare: what slcd says and what is
// in its files. Numbers that only ever grow (ids, orders, requests) are left out, and a generation
// is told by how much it has grown.
#pragma once

#include <map>
#include <string>

#include "tests/system/harness.h"

namespace slc::test {

class HomeState {
 public:
  // Of a running slcd. Generations are told relative to those of now.
  explicit HomeState(World& world);

  // A line per service as slcd shows it: the whole wish.
  std::string Shown() const;
  // The same of the files, whose checksums are the business of slcd.
  std::string Recorded() const;
  // Both.
  std::string Text() const { return Shown() + Recorded(); }

 private:
  World& world_;
  std::map<std::string, Generation> base_;
};

}  // namespace slc::test
