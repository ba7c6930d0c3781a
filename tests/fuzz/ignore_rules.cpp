// A .gitignore file, and behind an empty line the paths that are asked about, a line each.
#include "daemon/core/ignore_rules.h"

#include "common/base/text.h"
#include "daemon/core/watch_rules.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const std::string text = fuzz::Text(data, size);
  const std::size_t end = std::min(text.find("\n\n"), text.size());
  const std::string file = text.substr(0, end);
  IgnoreRules rules;
  rules.Set("", IgnoreFile::Parse(file));
  IgnoreRules deeper;
  deeper.Set("a", IgnoreFile::Parse(file));
  for (const std::string& path : Split(text.substr(end), '\n')) {
    // As a walk makes them.
    bool clean = !path.empty();
    for (const std::string& part : Split(path, '/')) clean = clean && !part.empty();
    if (!clean) continue;
    for (const bool is_folder : {false, true}) {
      fuzz::Check(rules.Ignores(path, is_folder) == deeper.Ignores("a/" + path, is_folder),
                  "rules are about the folder in which they lie");
    }
    WatchRules watch(Split(file, '\n'));
    watch.SetIgnored("", IgnoreFile::Parse(file));
    static_cast<void>(watch.Counts(path));
    static_cast<void>(watch.Watches(path));
  }
  return 0;
}
