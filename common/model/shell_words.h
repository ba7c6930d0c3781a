// Shell words: cuts a command line into words as sh does, as long as it is so plain that no shell
// is needed to run it. Pure; nothing is expanded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/environment.h"

namespace slc {

// The words, quotes and backslashes taken away. Nothing when a shell would do more than that: && |
// ; & > < ( ) $ ` * ? [ ~ # ! { } outside of quotes, a line break, or a quote that is not closed.
std::optional<std::vector<std::string>> SplitWords(const std::string& text);

// A command of the form [K=V ...] node [flags] SCRIPT [arguments], also behind exec, env, cross-env
// or cross-env-shell.
struct NodeCall {
  Environment environment;
  std::string node;  // a path if the command names one, else empty
  std::vector<std::string> node_arguments;
  std::string script;
  std::vector<std::string> arguments;
};
std::optional<NodeCall> ParseNodeCall(const std::string& command);

}  // namespace slc
