// Troubles: what a storm has done, and when. A command that has failed must have met something
// that explains the reason it gives.
#pragma once

#include <string>
#include <vector>

#include "tests/system/harness.h"

namespace slc::test {

// A command that has not exited with 0.
struct Failed {
  Ran ran;
  Millis begun = 0;
};

class Troubles {
 public:
  // `what` was so from `from` to `to`: the kind of a blow that struck, or what the system says to
  // whoever meets it ("No space left on device").
  void Add(const std::string& what, Millis from, Millis to);
  // Whether a reason that the command gives is explained by what was so while it ran, or shortly
  // before.
  bool Explain(const Failed& command) const;

 private:
  struct Trouble {
    std::string what;
    Millis from = 0;
    Millis to = 0;
  };
  std::vector<Trouble> troubles_;
};

}  // namespace slc::test
