// The command in scripts.start of a package.json.
#include "common/model/shell_words.h"

#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

using Words = std::vector<std::string>;

// A command line that gives these words.
std::string Quote(const Words& words) {
  std::string line;
  for (const std::string& word : words) {
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += "' ";
  }
  return line;
}

Words WordsOf(const NodeCall& call) {
  Words words = ToBlock(call.environment);
  words.push_back(call.node.empty() ? "node" : call.node);
  words.insert(words.end(), call.node_arguments.begin(), call.node_arguments.end());
  words.emplace_back("--");
  words.push_back(call.script);
  words.insert(words.end(), call.arguments.begin(), call.arguments.end());
  return words;
}

}  // namespace
}  // namespace slc

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  using slc::fuzz::Check;
  const std::string command = slc::fuzz::Text(data, size);
  if (const auto words = SplitWords(command)) {
    Check(SplitWords(Quote(*words)) == words, "the words come back as they were");
  }
  if (const auto call = ParseNodeCall(command)) {
    const auto again = ParseNodeCall(Quote(WordsOf(*call)));
    Check(again && WordsOf(*again) == WordsOf(*call), "the call comes back as it was");
  }
  return 0;
}
