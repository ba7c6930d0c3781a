// Resolves a wish into the config of a new generation: real paths, `.env`, programs, user ids.
// Blocks on the app's disk; runs on the disk thread.
#pragma once

#include "common/base/result.h"
#include "common/model/generation.h"
#include "common/model/service.h"

namespace slc {

// Errors say what is missing and where: the folder, the script, the interpreter, the user, a bad
// `.env`.
Result<GenerationConfig> ResolveGeneration(const Wish& wish);

// The environment of a worker, the latest wins: the caller's, PORT, `.env`, K=V of scripts.start,
// --env. Pure; `user` is set when workers run as somebody else (HOME, USER and LOGNAME become
// theirs).
struct TargetUser {
  std::string name;
  std::string home;
};
Environment ComposeEnvironment(const Wish& wish, const Environment& dot_env, const TargetUser* user,
                               const std::string& directory);

// Position of flags that node must see before the script; --inspect's port if one is among them.
int InspectPortOf(const std::vector<std::string>& node_arguments);

}  // namespace slc
