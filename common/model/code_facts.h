// CodeFacts: what can cheaply and certainly be told of the code in an app's folder, to see whether
// it is another one.
#pragma once

#include <string>
#include <vector>

#include "common/base/time.h"

namespace slc {

struct CodeFacts {
  std::string version;        // of package.json; empty: none
  std::string commit;         // HEAD of a git repository in the folder itself; empty: none
  Millis script_changed = 0;  // wall time; 0: not known

  bool operator==(const CodeFacts&) const = default;
};

// Blocks on the app's disk. `script`: relative to `directory` or absolute.
CodeFacts ReadCodeFacts(const std::string& directory, const std::string& script);

// Differences for people: "package.json 1.0.0 -> 1.1.0". What is not known on either side is none.
std::vector<std::string> DescribeCodeChanges(const CodeFacts& before, const CodeFacts& after);

}  // namespace slc
