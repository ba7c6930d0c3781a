// Environment variables as maps, `.env` files, and the rules for their names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace slc {

using Environment = std::map<std::string, std::string>;

// A variable's name: not empty, no '=', no NUL. Values: no NUL.
Status CheckVariable(const std::string& name, const std::string& value);

// "K=V" at the first '='.
Result<std::pair<std::string, std::string>> ParseAssignment(const std::string& text);

// A `.env` file as dotenv reads it: KEY=VALUE lines, `export ` prefix, # comments (a value with a #
// needs quotes), blank lines, quotes of three kinds (\n, \t, \" and \\ within double quotes; quoted
// values may span lines). No expansion of $NAME: what is written is what the app gets.
Result<Environment> ParseDotEnv(const std::string& text);

// {"K=V", ...} for exec.
std::vector<std::string> ToBlock(const Environment& environment);

// The caller's own environment.
Environment OwnEnvironment();

// What the sanitizers of a test build were told (ASAN_OPTIONS=..., for exec): a program that gets
// an environment of its own needs it too, or what they find in it is lost.
std::vector<std::string> SanitizerOptions();

}  // namespace slc
