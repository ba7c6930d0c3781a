// An application's `.env` file.
#include "common/base/environment.h"
#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

// The same variables, each value in double quotes.
std::string Write(const Environment& environment) {
  std::string text;
  for (const auto& [name, value] : environment) {
    text += "export " + name + "=\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += "\"\n";
  }
  return text;
}

}  // namespace
}  // namespace slc

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const auto read = ParseDotEnv(fuzz::Text(data, size));
  if (!read) return 0;
  for (const auto& [name, value] : *read) {
    fuzz::Check(CheckVariable(name, value).ok(), "a variable that is read can be set");
  }
  const auto again = ParseDotEnv(Write(*read));
  fuzz::Check(again.ok() && *again == *read, "the variables come back as they were");
  return 0;
}
