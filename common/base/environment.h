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

// What a test has told programs of ours, which get an environment of their own: the options of the
// sanitizers (ASAN_OPTIONS), SLC_TEST_..., and SLC_TEST_PRELOAD as LD_PRELOAD, by which the fault
// tests have system calls fail. They come from the owner's own environment; workers get none of it.
Environment TestVariables(const Environment& own);
// Those of our own environment, for exec.
std::vector<std::string> SanitizerOptions();

}  // namespace slc
